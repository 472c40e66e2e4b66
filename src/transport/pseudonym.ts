/** 32 bytes that stand for a value, and tell nobody what it was. */
export type Stand = (value: string) => Buffer

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** As earlier versions of Claude Code write it; the account may be empty. */
const CLAUDE_CODE = /^user_([^_]*)_account_([^_]*)_session_([^_]*)$/
/** As it writes it now: a JSON object of these. */
const CLAUDE_CODE_KEYS: ReadonlySet<string> = new Set(['device_id', 'account_uuid', 'session_id'])
/** Longer than what any program of that kind sends. */
const LONGEST_OBJECT = 1_024

/**
 * What stands for a user id towards one account. What Claude Code sends keeps its form, each of its parts replaced by
 * itself, so that sessions of one device remain those of one device; a UUID remains one; anything else becomes 64
 * hexadecimal digits, which is the most that OpenAI takes.
 */
export function pseudonymOf(value: string, stand: Stand): string {
  const parts = CLAUDE_CODE.exec(value)
  if (parts !== null) {
    const [user = '', account = '', session = ''] = parts.slice(1).map((part) => likeness(part, stand))
    return `user_${user}_account_${account}_session_${session}`
  }
  const object = claudeCodeObject(value)
  if (object === undefined) return likeness(value, stand)
  return JSON.stringify(
    Object.fromEntries(Object.entries(object).map(([key, part]) => [key, likeness(part, stand)])),
  )
}

function claudeCodeObject(value: string): Record<string, string> | undefined {
  if (!value.startsWith('{') || value.length > LONGEST_OBJECT) return undefined
  const parts: Record<string, string> = {}
  try {
    for (const [key, part] of Object.entries<unknown>(JSON.parse(value))) {
      if (!CLAUDE_CODE_KEYS.has(key) || typeof part !== 'string') return undefined
      parts[key] = part
    }
  } catch {
    return undefined
  }
  return parts
}

/** What is empty says nothing, and stays. */
function likeness(part: string, stand: Stand): string {
  if (part === '') return ''
  const hex = stand(part).toString('hex')
  return UUID.test(part) ? asUuid(hex) : hex
}

/** With the version and the variant of a random one (RFC 9562, 5.4). */
function asUuid(hex: string): string {
  const digits = `${hex.slice(0, 12)}4${hex.slice(13, 16)}a${hex.slice(17, 32)}`
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
