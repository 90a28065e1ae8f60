pipeline {
    agent any

    tools { go 'go' }

    stages {
        stage('Use Artifact Keeper') {
            steps {
                @{use}
            }
        }
        stage('Build and test') {
            steps {
                sh 'go build ./... && go test ./...'
            }
        }
    }
}
