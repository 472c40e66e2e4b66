import { LOOKED_AT } from './classify-wording.js'

/*
 * Blocked content must not travel to a second organisation: a refusal with any of these words in it stays where it is.
 * A word too many costs a comparison, a word too few may cost an account.
 */

/** What is said of content. */
const CONTENT =
  'safety|unsafe|moderat|sensitive|harmful|inappropriate|offensive|content.{0,3}filter|flagged|guardrail|abus(?:e|ive)|jailbreak|sexual|violen|self.?harm|weapon|terroris|csam|敏感|违规|違規|违法|违禁|不当|不安全|审核|審核|审查|涉政|色情|暴力|有害|不適切|センシティブ|민감|유해|부적절|недопустим|unangemessen|anstößig|inapproprié|inaprop(?:r)?iad|inadequad|inappropriat|uygunsuz|hate.?speech|nsfw|nudity|pornogra|dangerous|غير لائق|غير آمن'
/** What is said of rules. */
const RULES =
  'polic(?:y|ies)|safeguard|prohibited|violat|filtered|guidelines|terms of (?:service|use)|blocked|responsible.?ai|安全|政策|合规|屏蔽|風險|ポリシー|規約|정책|안전|политик|безопасн|richtlinie|politique|sensible|política|illegal|illicit|sicherheit|sécurité|seguridad|segurança|sicurezza|güvenlik|yasak|سلامة|أمان|سياسة|محظور'

const OF_CONTENT = new RegExp(CONTENT, 'i')
const OF_EITHER = new RegExp(`${CONTENT}|${RULES}`, 'i')

/** Whether an answer speaks of policy, safety, moderation or sensitive content. Only the first 64 KiB are looked at. */
export function speaksOfPolicy(text: string): boolean {
  return OF_EITHER.test(unescaped(text))
}

/** Whether it speaks of content, rather than of rules that may be those of an account. */
export function speaksOfContent(text: string): boolean {
  return OF_CONTENT.test(unescaped(text))
}

/** JSON may write any character as an escape, pages as an entity, and some write letters of other widths. */
function unescaped(text: string): string {
  const beginning = text
    .slice(0, LOOKED_AT)
    .replace(/\\u([0-9a-f]{4})/gi, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/&#(?:x([0-9a-f]{2,5})|(\d{2,6}));/gi, (_all, hex?: string, decimal?: string) =>
      character(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
    )
  return beginning.normalize('NFKC').replace(/\p{Cf}+/gu, '')
}

function character(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : ''
}
