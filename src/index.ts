export type { StoreConfig } from './compat/foreign-store.js'
export { openKeymux } from './compose.js'
export { newStore, ProfileTools, Resolver } from './compose-compat.js'
export type { OpenKeymuxOptions } from './compose-options.js'
export type { KeymuxConfig, KeymuxConfigInput } from './domain/config.js'
export type { CandidateReason, ErrorCode, KeymuxErrorOptions } from './domain/errors.js'
export { ERROR_CODES, isKeymuxError, KeymuxError, NoUsableProfileError } from './domain/errors.js'
export type { ExplainedCandidate, Explanation, PlaceRule } from './domain/explanation.js'
export type { OwnFailureRule, ProviderFailureRule, TextPattern } from './domain/failure-rule.js'
export type { Health, HealthEvent, HealthOutcome } from './domain/health.js'
export type { ProfileId } from './domain/ids.js'
export { newProfileId, profileName, profileProvider } from './domain/ids.js'
export type { Keymux } from './domain/keymux.js'
export type {
  CallOptions,
  Clock,
  FailureOptions,
  Logger,
  OAuthManager,
  OAuthTokenRefresher,
  ProfileManager,
  ProfilePreference,
  ProfileResolutionResult,
  RefreshOptions,
  Resolution,
  ResolutionOptions,
  TokenOptions,
  VaultInterface,
} from './domain/ports.js'
export type {
  ApiKeyCredential,
  AuthMode,
  AuthProfile,
  OAuthCredential,
  OAuthToken,
  TokenCredential,
  VaultGetter,
} from './domain/profile.js'
export {
  clearProfileError,
  fromOAuthToken,
  getProfileApiKey,
  getProfileToken,
  isOAuthCredentialExpired,
  isOAuthCredentialValid,
  isProfileExpired,
  isProfileValid,
  markProfileError,
  markProfileUsed,
  toOAuthToken,
} from './domain/profile.js'
export type { ProfileListItem, ProfileListResult } from './domain/profile-list.js'
export { ProfileStore } from './domain/profile-store.js'
export type {
  AddOptions,
  ModelCooldownView,
  NewProfile,
  OutcomeReport,
  ProfilePatch,
  ProfileState,
  Profiles,
  ProfileView,
  QuotaOptions,
  ViewFilter,
} from './domain/profiles.js'
export type {
  AuthHeader,
  CredentialHeader,
  FailureFamily,
  OAuthEndpoint,
  ProviderCheck,
  ProviderFamily,
  ProviderInfo,
  ProviderMetadata,
  ProviderOAuthConfig,
  UnpaidAnswer,
} from './domain/provider.js'
export type { QuotaStatus, QuotaWindow } from './domain/quota.js'
export type { CacheStats, ResolveOptions } from './domain/resolver.js'
export { Secret } from './domain/secret.js'
export type {
  ProfileAddArgs,
  ProfileAddResult,
  ProfileEnableArgs,
  ProfileExportResult,
  ProfileIdArgs,
  ProfileImportArgs,
  ProfileListArgs,
  ProfileListToolResult,
  ProfileSetPriorityArgs,
  ProfileTestResult,
  ProvidersListResult,
  ToolOutcome,
} from './domain/tools.js'
export type {
  FailureReason,
  FailureScope,
  ProfileCooldownConfig,
  ProfileUsageStats,
  ProviderCooldownOverride,
} from './domain/usage.js'
export type {
  AuditEntry,
  RemoveSlotOptions,
  Rotated,
  SlotView,
  Unlock,
  Vault,
  VaultProblem,
  VaultStatus,
} from './domain/vault.js'
export type { ProfileToolsOptions, ToolPermissions } from './operations/profile-tools.js'
export type { ToolDefinition, ToolMethod } from './operations/tool-definitions.js'
export { TOOL_DEFINITIONS } from './operations/tool-definitions.js'
export { classifyFailure, classifyFailureMessage } from './policy/classify-message.js'
export type { ClassifyInput, ResponseVerdict } from './policy/classify-response.js'
export { classifyResponse } from './policy/classify-response.js'
export { calculateBillingDisable, calculateRateLimitCooldown } from './policy/cooldown.js'
export type { MarkFailureOptions } from './policy/failure.js'
export {
  clearExpiredCooldowns,
  isAuthCooldownBypassedForProfile,
  isProfileInCooldown,
  markProfileFailure,
  resolveProfileUnusableUntil,
} from './policy/failure.js'
export { formatProfileList } from './profiles/format-list.js'
export {
  builtinProviders,
  getOAuthScopes,
  getProvider,
  getProviderWithScopes,
  getSuggestedProfileNames,
  isValidProvider,
  listProviders,
  listProvidersByMode,
  ProviderRegistry,
  registerCustomProvider,
  supportsMode,
} from './providers/registry.js'
export type { ResolverConfig } from './resolver/config.js'
export { FallbackChain, MultiResolver } from './resolver/multi.js'
export { failurePattern } from './rules/pattern.js'
export type { CreateFetchOptions, FetchHost } from './transport/create-fetch.js'
export { createFetch } from './transport/create-fetch.js'
