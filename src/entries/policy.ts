export type { OwnFailureRule, ProviderFailureRule, TextPattern } from '../domain/failure-rule.js'
export type { ProfilePreference } from '../domain/ports.js'
export { ProfileStore } from '../domain/profile-store.js'
export type { QuotaState, QuotaStatus, QuotaWindow } from '../domain/quota.js'
export type {
  FailureReason,
  FailureScope,
  ProfileCooldownConfig,
  ProfileUsageStats,
  ProviderCooldownOverride,
} from '../domain/usage.js'
export { newUsageStats } from '../domain/usage.js'
export { classifyFailure, classifyFailureMessage } from '../policy/classify-message.js'
export type { ClassifyInput, ResponseVerdict } from '../policy/classify-response.js'
export { classifyResponse } from '../policy/classify-response.js'
export { calculateBillingDisable, calculateRateLimitCooldown } from '../policy/cooldown.js'
export type { FailureContext, FailureOutcome, MarkFailureOptions, SuccessContext } from '../policy/failure.js'
export {
  applyFailure,
  applyReset,
  applySuccess,
  clearExpiredCooldowns,
  isAuthCooldownBypassedForProfile,
  isProfileInCooldown,
  markProfileFailure,
  resolveProfileUnusableUntil,
} from '../policy/failure.js'
export { modelAllowed } from '../policy/model-globs.js'
export type { OrderKey } from '../policy/order.js'
export { compareBy } from '../policy/order.js'
export type { QuotaRank } from '../policy/quota-facts.js'
export type { QuotaContext, QuotaHeaders } from '../policy/quota-headers.js'
export { readQuota } from '../policy/quota-headers.js'
export { currentQuota, headroomOf, mergeQuota } from '../policy/quota-windows.js'
export type { Standing, StandingFacts, StandingState } from '../policy/standing.js'
export { modelWindow, standing } from '../policy/standing.js'
export { failurePattern } from '../rules/pattern.js'
