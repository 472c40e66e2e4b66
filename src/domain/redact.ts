const REDACTED = '[redacted]'

/** A known secret shorter than this is left in place: it would shred the text and protect nothing. */
const SHORTEST_KNOWN = 4
/** Random-looking runs of at least this many characters count as secrets. */
const LONG_RUN = 32
/** One run in a thousand of random base64 or hexadecimal changes more rarely; names stay below 0.16. */
const RANDOM_CHANGES = 0.2

/** Keys by their issuers' prefixes. Each begins where no letter or digit precedes it and matches in linear time. */
const PREFIXED: readonly RegExp[] = [
  // OpenAI, Anthropic, DeepSeek, OpenRouter, DashScope, … (sk-, sk-ant-, sk-proj-, sk-or-v1-); Stripe's style
  /(?<![A-Za-z0-9])(?:sk-|[sr]k_(?:live|test)_)[A-Za-z0-9][A-Za-z0-9_-]{2,}/g,
  // Groq
  /(?<![A-Za-z0-9])gsk_[A-Za-z0-9_-]{4,}/g,
  // Google: API keys, access tokens, refresh tokens, client secrets
  /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{8,}/g,
  /(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{4,}/g,
  /(?<![A-Za-z0-9/])1\/\/[A-Za-z0-9_-]{20,}/g,
  /(?<![A-Za-z0-9])GOCSPX-[A-Za-z0-9_-]{8,}/g,
  // GitHub, Hugging Face, Replicate, xAI, Perplexity, Cohere, NVIDIA, Cerebras, Fireworks, AWS
  /(?<![A-Za-z0-9])gh[oprsu]_[A-Za-z0-9_]{8,}/g,
  /(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{8,}/g,
  /(?<![A-Za-z0-9])(?:hf|r8|fw)_[A-Za-z0-9]{8,}/g,
  /(?<![A-Za-z0-9])(?:xai|pplx|co|nvapi|csk)-[A-Za-z0-9]{16,}/g,
  /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  /(?<![A-Za-z0-9])AGE-SECRET-KEY-1[A-Z0-9]{8,}/g,
  // JSON Web Tokens (RFC 7519): two or more base64url parts, the first of them an object
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4}/g,
]

const NAMES =
  'api[_-]?key|(?:access|refresh|id|auth|bearer)[_-]?token|token|client[_-]?secret|secret|password|passphrase|authorization|x-api-key|x-goog-api-key'
const IN_QUERY = new RegExp(`([?&](?:key|code|sig|signature|${NAMES})=)[^\\s&#"'<>\\\\]+`, 'gi')
const NAMED = new RegExp(
  `(?<![A-Za-z0-9_-])((?:${NAMES})(?:\\\\?["'])?\\s{0,4}[:=]\\s{0,4}(?:\\\\?["'])?)([^\\s"'\\\\,;&<>(){}[\\]]+)`,
  'gi',
)
const SCHEME = /(?<![A-Za-z0-9])((?:bearer|basic)\s{1,4})([A-Za-z0-9._~+/=-]+)/gi
const URL_PASSWORD = /(:\/\/[^\s:/@]{0,128}:)[^\s/@]{1,256}@/g
const RUN = /[A-Za-z0-9+/_-]{32,}={0,2}/g
const SOLID_RUN = /[A-Za-z0-9]{32,}/g
const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi

/**
 * Replaces secrets in a text by `[redacted]`: the `known` ones (also URL-encoded, JSON-escaped and in
 * base64), and whatever has the shape of one: keys with their issuers' prefixes, bearer tokens, JSON Web
 * Tokens, `key=` parameters, passwords in URLs, long random runs. When in doubt it redacts; UUIDs, file
 * paths and model names stay. Takes time linear in the text.
 */
export function redactSecrets(text: string, known: Iterable<string> = []): string {
  let clean = redactKnown(text, known)
  for (const pattern of PREFIXED) clean = clean.replace(pattern, REDACTED)
  return clean
    .replace(URL_PASSWORD, `$1${REDACTED}@`)
    .replace(IN_QUERY, `$1${REDACTED}`)
    .replace(SCHEME, redactValue)
    .replace(NAMED, redactValue)
    .replace(RUN, redactRun)
}

/** Replaces the `known` secrets alone, as {@link redactSecrets} does. */
export function redactKnown(text: string, known: Iterable<string>): string {
  return withoutForms(text, formsOf(known, text.length))
}

/** Every way in which a secret may appear in a text: as it is, escaped, URL-encoded, in base64. */
export function formsOfSecret(secret: string): readonly string[] {
  return formsOf([secret], Number.POSITIVE_INFINITY)
}

/** A way to take a secret out of a text that comes in pieces. */
export class RedactingStream {
  readonly #forms: readonly string[]
  #held = ''

  constructor(secret: string) {
    this.#forms = formsOfSecret(secret)
  }

  /** What of the text so far is certainly none of the secret's. */
  push(text: string): string {
    const clean = withoutForms(this.#held + text, this.#forms)
    const kept = Math.max(0, (this.#forms[0]?.length ?? 1) - 1)
    this.#held = kept === 0 ? '' : clean.slice(-kept)
    return clean.slice(0, clean.length - this.#held.length)
  }

  /** The rest. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

function withoutForms(text: string, forms: readonly string[]): string {
  return forms.reduce((clean, form) => clean.replaceAll(form, REDACTED), text)
}

/**
 * Whether a command-line argument looks like a key, so that it can be refused and is not echoed. Rather
 * misses one than takes a profile id, path, URL, e-mail address, UUID, model name or plain word for a key.
 */
export function looksLikeSecret(argument: string): boolean {
  const text = argument.trim()
  if (/^bearer\s+\S/i.test(text)) return true
  const word = text.slice(text.lastIndexOf(':') + 1)
  const longEnough = word.length >= (/\d/.test(word) ? 8 : 12)
  if (longEnough && PREFIXED.some((pattern) => fullMatch(pattern, word))) return true
  return text.length >= LONG_RUN && fullMatch(RUN, text) && looksRandom(text) && /\d/.test(text)
}

/**
 * Every way in which the known secrets may appear in a text of `space` characters, longest first, so that
 * none leaves a rest of another. No encoding is shorter than the secret itself.
 */
function formsOf(known: Iterable<string>, space: number): string[] {
  const forms = new Set<string>()
  for (const one of known) {
    const secret = one.trim()
    if (secret.length < SHORTEST_KNOWN || secret.length > space) continue
    forms.add(secret)
    forms.add(JSON.stringify(secret).slice(1, -1))
    const form = new URLSearchParams([['', secret]]).toString().slice(1)
    for (const encoded of [form, form.replaceAll('+', '%20'), urlEncoded(secret)]) {
      forms.add(encoded)
      forms.add(encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))
    }
    for (const base64 of base64Forms(secret)) forms.add(base64)
  }
  return [...forms].sort((a, b) => b.length - a.length)
}

function urlEncoded(secret: string): string {
  try {
    return encodeURIComponent(secret)
  } catch {
    return secret // An unpaired surrogate has no UTF-8 form.
  }
}

/**
 * The characters of a base64 text that depend on the secret alone, wherever in the encoded bytes it begins
 * (`user:SECRET` in basic authentication), in both alphabets.
 */
function base64Forms(secret: string): string[] {
  const bytes = new TextEncoder().encode(secret)
  if (bytes.length < 8) return []
  return [0, 1, 2].flatMap((shift) => {
    const shifted = new Uint8Array(shift + bytes.length)
    shifted.set(bytes, shift)
    const whole = toBase64(shifted).replaceAll('=', '')
    const bits = shifted.length * 8
    const base64 = whole.slice(Math.ceil((shift * 8) / 6), Math.floor(bits / 6))
    return [base64, base64.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

function toBase64(bytes: Uint8Array): string {
  const chunk = 0x2000
  let binary = ''
  for (let start = 0; start < bytes.length; start += chunk) {
    binary += String.fromCharCode(...bytes.subarray(start, start + chunk))
  }
  return btoa(binary)
}

/** `Bearer token is missing` and `api_key: required` are sentences: words and short numbers stay there. */
function redactValue(whole: string, label: string, value: string): string {
  const said = !label.includes('=') && /^(?:[A-Za-z]?[a-z]{0,14}|\d{1,8})[.!?:]?$/.test(value)
  return said ? whole : `${label}${REDACTED}`
}

function redactRun(run: string): string {
  if (run.replace(UUID, '').length < LONG_RUN) return run
  if (looksRandom(run)) return REDACTED
  // A path or a hyphenated name: only a solid part of it can be a key or a hash.
  return run.replace(SOLID_RUN, (part) => (/\d/.test(part) && /[A-Za-z]/.test(part) ? REDACTED : part))
}

/**
 * Whether a run changes between lower case, upper case and digits as often as random text does. (A capital
 * that begins a word counts once.) Random base64 changes at nearly every second character, hexadecimal too;
 * words, paths and camelCase names far less often.
 */
function looksRandom(run: string): boolean {
  const rest = run.replace(UUID, '')
  if (rest.length < LONG_RUN) return false
  const changes =
    rest.match(/[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[A-Z](?=[A-Z][a-z])|[0-9](?=[A-Za-z])/g)?.length ?? 0
  return changes / rest.length >= RANDOM_CHANGES
}

function fullMatch(pattern: RegExp, text: string): boolean {
  return new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace('g', '')).test(text)
}
