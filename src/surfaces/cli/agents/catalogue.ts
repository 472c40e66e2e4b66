import type { Recipe } from './recipe.js'
import { aider } from './recipes/aider.js'
import { claudeCode } from './recipes/claude-code.js'
import { cline } from './recipes/cline.js'
import { codex } from './recipes/codex.js'
import { continueCli } from './recipes/continue.js'
import { copilotCli } from './recipes/copilot-cli.js'
import { crush } from './recipes/crush.js'
import { geminiCli } from './recipes/gemini-cli.js'
import { goose } from './recipes/goose.js'
import { hermes } from './recipes/hermes.js'
import { openclaw } from './recipes/openclaw.js'
import { opencode } from './recipes/opencode.js'
import { pi } from './recipes/pi.js'
import { qwenCode } from './recipes/qwen-code.js'

/** The coding agents that `exec --gateway` knows. */
export const RECIPES: readonly Recipe[] = [
  claudeCode,
  codex,
  geminiCli,
  opencode,
  qwenCode,
  pi,
  cline,
  continueCli,
  openclaw,
  crush,
  goose,
  aider,
  copilotCli,
  hermes,
]
