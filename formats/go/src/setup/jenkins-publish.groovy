pipeline {
    agent any

    tools { go 'go' }

    stages {
        stage('Use Artifact Keeper') {
            steps {
                @{use}
            }
        }
        stage('Test') {
            steps {
                sh 'go vet ./... && go test ./...'
            }
        }
        stage('Publish') {
            when { tag pattern: '(.+/)?v\\d+\\.\\d+\\.\\d+(-.+)?', comparator: 'REGEXP' }
            steps {
                withCredentials([string(credentialsId: 'artifact-keeper-token', variable: 'ARTIFACT_KEEPER_TOKEN')]) {
                    sh '''
                        export TAG="$TAG_NAME"
                        @{publish}
                    '''
                }
            }
        }
    }
}
