export type { MemoryStore } from '../storage/memory/index.js'
export { createMemoryStore } from '../storage/memory/index.js'
export type { DeviceLogin as StubDeviceLogin } from '../testing/authorization/device.js'
export type { IssuedTokens, StubAccount, TokenFamily } from '../testing/authorization/families.js'
export type { TokenAnswer, TokenFault } from '../testing/authorization/faults.js'
export type { FakeClock } from '../testing/fake-clock.js'
export { createFakeClock } from '../testing/fake-clock.js'
export type { MemoryVault } from '../testing/memory-vault.js'
export { createMemoryVault } from '../testing/memory-vault.js'
export type { ScriptedUpstream, ScriptedUpstreamOptions } from '../testing/scripted-upstream.js'
export { startScriptedUpstream } from '../testing/scripted-upstream.js'
export type { Rule as SimulationRule, Tally as SimulationTally } from '../testing/simulation/breaches.js'
export type { FoundBreach, SimulationOptions, SimulationReport } from '../testing/simulation/simulate.js'
export { simulate } from '../testing/simulation/simulate.js'
export type {
  StubAuthorizationServer,
  StubAuthorizationServerOptions,
  StubRequest,
} from '../testing/stub-authorization-server.js'
export { startStubAuthorizationServer } from '../testing/stub-authorization-server.js'
export type { WireFailure } from '../testing/upstream/failure-shapes.js'
export type {
  FailureReply,
  RateLimitedOptions,
  UpstreamFailureOptions,
} from '../testing/upstream/failures.js'
export {
  badKey,
  badRequest,
  contextOverflow,
  modelNotFound,
  outOfMoney,
  overloaded,
  permission,
  rateLimited,
  serverError,
} from '../testing/upstream/failures.js'
export type { FaultPlace } from '../testing/upstream/faults.js'
export {
  delay,
  errorInFirstEvent,
  errorMidStream,
  garbage,
  hugeBody,
  reset,
  stall,
  trickle,
  truncated,
} from '../testing/upstream/faults.js'
export { redirect, reply } from '../testing/upstream/reply.js'
export type { OkOptions } from '../testing/upstream/success.js'
export { ok } from '../testing/upstream/success.js'
export type {
  Answer,
  Interruption,
  Pause,
  RecordedRequest,
  Reply,
  Script,
  Step,
  UpstreamProvider,
} from '../testing/upstream/types.js'
