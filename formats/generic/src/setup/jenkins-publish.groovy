pipeline {
    agent any

    environment {
        NAME = 'tool'
        VERSION = "${env.TAG_NAME}"
        FILE = 'dist/tool.bin'
    }

    stages {
        stage('Build') {
            steps {
                sh 'make dist'
            }
        }
        stage('Publish') {
            when { buildingTag() }
            steps {
                withCredentials([string(credentialsId: 'artifact-keeper-token', variable: 'ARTIFACT_KEEPER_TOKEN')]) {
                    sh '''
                        @{publish}
                    '''
                }
            }
        }
    }
}
