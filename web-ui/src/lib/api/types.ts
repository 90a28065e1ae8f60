/** Short names for the shapes of the API, as its document declares them. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Artifact = Schemas['ArtifactView'];
export type ArtifactFile = Schemas['FileView'];
export type AuditEntry = Schemas['AuditEntry'];
export type Contents = Schemas['ContentsView'];
export type CreatedToken = Schemas['CreatedToken'];
export type Dependent = Schemas['DependentView'];
export type Diagnosis = Schemas['DiagnosisView'];
export type Explanation = Schemas['ExplanationView'];
export type Format = Schemas['FormatView'];
export type Grant = Schemas['GrantView'];
export type Group = Schemas['GroupView'];
export type Me = Schemas['MeView'];
export type NewRepository = Schemas['NewRepository'];
export type Package = Schemas['PackageView'];
export type Problem = Schemas['Problem'];
export type ProblemEntry = Schemas['ProblemEntry'];
export type Quota = Schemas['QuotaView'];
export type Readme = Schemas['ReadmeView'];
export type Repository = Schemas['RepositoryView'];
export type RepositoryChange = Schemas['RepositoryChange'];
export type Retention = Schemas['RetentionView'];
export type RetentionRule = Schemas['RuleView'];
export type Session = Schemas['SessionView'];
export type Setup = Schemas['SetupView'];
export type SetupText = Schemas['SetupTextView'];
export type Status = Schemas['StatusView'];
export type Token = Schemas['TokenView'];
export type User = Schemas['UserView'];
export type Version = Schemas['VersionView'];
export type Warning = Schemas['WarningView'];
