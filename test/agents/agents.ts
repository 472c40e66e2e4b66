import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** An agent as it is started without anything configured. */
export interface Agent {
  readonly name: string
  /** The folder under {@link AGENTS_FOLDER} that it is installed in, and its package. */
  readonly folder: string
  readonly package: string
  readonly bin: string
  readonly provider: 'anthropic' | 'openai' | 'gemini' | 'qwen'
  /** Arguments of one run that asks for no permission. */
  readonly args: (prompt: string) => readonly string[]
}

/** Where agents are looked for. */
export const AGENTS_FOLDER: string = process.env.KEYMUX_AGENTS ?? join(homedir(), '.cache/keymux-agents')

const claude = { folder: 'claude', package: '@anthropic-ai/claude-code', bin: 'claude' }
const codex = { folder: 'codex', package: '@openai/codex', bin: 'codex' }
const gemini = { folder: 'gemini', package: '@google/gemini-cli', bin: 'gemini' }
const opencode = { folder: 'opencode', package: 'opencode-ai', bin: 'opencode' }
const qwen = { folder: 'qwen', package: '@qwen-code/qwen-code', bin: 'qwen' }
const pi = { folder: 'pi', package: '@mariozechner/pi-coding-agent', bin: 'pi' }
const cline = { folder: 'cline', package: 'cline', bin: 'cline' }
const continueCli = { folder: 'continue', package: '@continuedev/cli', bin: 'cn' }
const copilot = { folder: 'copilot', package: '@github/copilot', bin: 'copilot' }

/** Every agent, once for each dialect that it speaks. */
export const AGENTS: readonly Agent[] = [
  {
    name: 'claude',
    ...claude,
    provider: 'anthropic',
    args: (prompt) => ['-p', prompt, '--allowedTools', 'Bash'],
  },
  {
    name: 'codex',
    ...codex,
    provider: 'openai',
    args: (prompt) => [
      'exec',
      '-m',
      'gpt-5',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      prompt,
    ],
  },
  {
    name: 'gemini',
    ...gemini,
    provider: 'gemini',
    args: (prompt) => ['-p', prompt, '--yolo', '--skip-trust'],
  },
  {
    name: 'opencode',
    ...opencode,
    provider: 'anthropic',
    args: (prompt) => ['run', '--model', 'anthropic/claude-sonnet-4-5', '--auto', prompt],
  },
  {
    name: 'opencode-openai',
    ...opencode,
    provider: 'openai',
    args: (prompt) => ['run', '--model', 'openai/gpt-5', '--auto', prompt],
  },
  { name: 'qwen', ...qwen, provider: 'openai', args: (prompt) => ['-p', prompt, '--yolo'] },
  { name: 'qwen-qwen', ...qwen, provider: 'qwen', args: (prompt) => ['-p', prompt, '--yolo'] },
  { name: 'qwen-anthropic', ...qwen, provider: 'anthropic', args: (prompt) => ['-p', prompt, '--yolo'] },
  {
    name: 'pi',
    ...pi,
    provider: 'anthropic',
    args: (prompt) => ['-p', prompt, '--provider', 'anthropic', '--model', 'claude-sonnet-4-5'],
  },
  {
    name: 'pi-openai',
    ...pi,
    provider: 'openai',
    args: (prompt) => ['-p', prompt, '--provider', 'openai', '--model', 'gpt-5'],
  },
  {
    name: 'pi-gemini',
    ...pi,
    provider: 'gemini',
    args: (prompt) => ['-p', prompt, '--provider', 'google', '--model', 'gemini-2.5-pro'],
  },
  { name: 'cline', ...cline, provider: 'anthropic', args: (prompt) => [prompt] },
  { name: 'continue', ...continueCli, provider: 'anthropic', args: (prompt) => ['--auto', '-p', prompt] },
  {
    name: 'copilot',
    ...copilot,
    provider: 'anthropic',
    args: (prompt) => ['--allow-all-tools', '-p', prompt],
  },
]

/** The program of an agent; `undefined` where it is not installed. */
export function programOf({ folder, bin }: Agent): string | undefined {
  const path = join(AGENTS_FOLDER, folder, 'node_modules/.bin', bin)
  return existsSync(path) ? path : undefined
}

/** The version that is installed. */
export function versionOf(agent: Agent): string {
  const path = join(AGENTS_FOLDER, agent.folder, 'node_modules', agent.package, 'package.json')
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return manifest instanceof Object && 'version' in manifest ? String(manifest.version) : 'unknown'
}

/** Keeps agents from asking their makers for updates, and from telling them how they are used. */
export const QUIET: Readonly<Record<string, string>> = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  GEMINI_TELEMETRY_ENABLED: 'false',
  GEMINI_CLI_TRUST_WORKSPACE: 'true',
  PI_OFFLINE: '1',
  PI_TELEMETRY: '0',
  CONTINUE_TELEMETRY_ENABLED: '0',
  CLINE_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  NO_UPDATE_NOTIFIER: '1',
  IS_SANDBOX: '1',
}
