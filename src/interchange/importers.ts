import { claudeCode } from './claude-code.js'
import { codex } from './codex.js'
import { copilot } from './copilot.js'
import type { Importer } from './draft.js'
import { geminiCli } from './gemini-cli.js'
import { llm } from './llm.js'
import { openclaw } from './openclaw.js'
import { opencode } from './opencode.js'
import { pi } from './pi.js'
import { qwenCode } from './qwen-code.js'

/** The other tools whose credentials can be read, by name. A new one is a file beside this, and a line here. */
export const IMPORTERS: readonly Importer[] = [
  claudeCode,
  codex,
  copilot,
  geminiCli,
  llm,
  openclaw,
  opencode,
  pi,
  qwenCode,
]

/** The importer of this name; `undefined` when there is none. */
export function findImporter(name: string): Importer | undefined {
  return IMPORTERS.find((one) => one.name === name)
}
