withCredentials([string(credentialsId: 'artifact-keeper-token', variable: 'ARTIFACT_KEEPER_TOKEN')]) {
    @{step}
}
