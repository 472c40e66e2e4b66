import type { Recipe } from './recipe.js'
import { claudeCode } from './recipes/claude-code.js'
import { codex } from './recipes/codex.js'
import { geminiCli } from './recipes/gemini-cli.js'
import { opencode } from './recipes/opencode.js'
import { pi } from './recipes/pi.js'
import { qwenCode } from './recipes/qwen-code.js'

/** The coding agents that `exec --gateway` knows. */
export const RECIPES: readonly Recipe[] = [claudeCode, codex, geminiCli, opencode, qwenCode, pi]
