/** What other tools call the providers. A name that keymux itself knows needs no line here. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['claude', 'anthropic'],
  ['openai-codex', 'openai'],
  ['google', 'gemini'],
  ['google-gemini-cli', 'gemini'],
  ['grok', 'xai'],
  ['x-ai', 'xai'],
  ['alibaba', 'qwen'],
  ['dashscope', 'qwen'],
  ['qwen-portal', 'qwen'],
  ['minimax-portal', 'minimax'],
  ['github-copilot-enterprise', 'github-copilot'],
])

/** The provider that another tool means by `name`; `undefined` when it is none of the `known` ones. */
export function knownProvider(name: string, known: ReadonlySet<string>): string | undefined {
  const asked = name.toLowerCase()
  return [asked, ALIASES.get(asked)].find((one) => one !== undefined && known.has(one))
}

/** What becomes of an entry whose provider keymux does not know. */
export const UNKNOWN_PROVIDER = {
  skipped: 'keymux knows no such provider; declare it with keymux providers add',
} as const
