import type { ResponseVerdict } from '../../policy/classify-response.js'

/** What would follow from a verdict, as a sentence. */
export function effectOf({ reason, scope, certainty, retryAfterMs }: ResponseVerdict): string {
  const whom = scope === 'model' ? 'this model of the account' : 'the account'
  const isPresumed = certainty === 'presumed'
  switch (reason) {
    case 'format':
    case 'context_overflow':
      return 'the caller gets it; no account is set aside'
    case 'unknown':
      return scope === 'request'
        ? 'the caller gets it; it is counted'
        : 'another account is asked; it is counted'
    case 'rate_limit':
      return `${whom} is set aside ${retryAfterMs === undefined ? 'for 30 s, or as configured' : 'until then'}; another one is asked`
    case 'overloaded':
      return 'asked once more, then others; set aside for 5 s, doubling to 60 s'
    case 'server_error':
    case 'timeout':
      return 'asked once more, then others; the third in a row sets the account aside for 30 s'
    case 'session_expired':
      return 'a login is renewed; otherwise the account is set aside for 30 s and another one is asked'
    case 'model_not_found':
      return `this model of the account is set aside for ${isPresumed ? '10 min' : '12 h'}; another account is asked`
    case 'billing':
      return isPresumed
        ? 'set aside for 60 s, doubling to 5 h, while another account can serve'
        : 'disabled for 5 h, doubling to 24 h; another account is asked'
    case 'auth':
      return isPresumed
        ? 'a login is renewed; a key is set aside for 60 s, doubling to 10 min, while another account can serve'
        : 'a login is renewed; a key is set aside for 60 s, the third time in a row for 5 h'
    case 'auth_permanent':
      return isPresumed
        ? 'set aside for 60 s, doubling to 10 min, while another account can serve'
        : 'disabled for 5 h, doubling to 24 h; another account is asked'
  }
}
