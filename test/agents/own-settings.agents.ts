import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type ScriptedUpstream, startScriptedUpstream } from '../../src/entries/testing.js'
import { AGENTS, programOf } from './agents.js'
import { LAST_WORDS } from './turns.js'
import { World } from './world.js'

const OWN = 'own-key-Decoy1Decoy2Decoy3'

/** What an agent keeps in its home folder by which it would go somewhere else, by path. */
type Files = Readonly<Record<string, object | string>>

/** A login with a subscription that has not run out. */
const later = (): number => Date.now() + 3_600_000

/** Settings and logins of each agent's own, that lead to another place with another key. */
const OWN_SETTINGS: Readonly<Record<string, (elsewhere: string) => Files>> = {
  claude: (elsewhere) => ({
    '.claude/settings.json': {
      env: { ANTHROPIC_BASE_URL: elsewhere, ANTHROPIC_API_KEY: OWN, ANTHROPIC_AUTH_TOKEN: OWN },
      apiKeyHelper: `echo ${OWN}`,
    },
    '.claude/.credentials.json': {
      claudeAiOauth: { accessToken: OWN, refreshToken: OWN, expiresAt: later(), scopes: ['user:inference'] },
    },
  }),
  codex: (elsewhere) => ({
    '.codex/auth.json': { OPENAI_API_KEY: OWN },
    '.codex/config.toml': [
      'model_provider = "mine"',
      '[model_providers.mine]',
      'name = "mine"',
      `base_url = "${elsewhere}/v1"`,
      'wire_api = "responses"',
    ].join('\n'),
  }),
  gemini: (elsewhere) => ({
    '.gemini/settings.json': { security: { auth: { selectedType: 'oauth-personal' } } },
    '.gemini/.env': `GEMINI_API_KEY=${OWN}\nGOOGLE_GEMINI_BASE_URL=${elsewhere}\n`,
    '.gemini/oauth_creds.json': {
      access_token: OWN,
      refresh_token: OWN,
      expiry_date: later(),
      token_type: 'Bearer',
    },
  }),
  opencode: (elsewhere) => ({
    '.config/opencode/opencode.json': {
      provider: { anthropic: { options: { baseURL: `${elsewhere}/v1`, apiKey: OWN } } },
    },
    '.local/share/opencode/auth.json': { anthropic: { type: 'api', key: OWN } },
  }),
  'opencode-openai': (elsewhere) => ({
    '.config/opencode/opencode.json': {
      provider: { openai: { options: { baseURL: `${elsewhere}/v1`, apiKey: OWN } } },
    },
    '.local/share/opencode/auth.json': { openai: { type: 'api', key: OWN } },
  }),
  qwen: (elsewhere) => ({
    '.qwen/settings.json': {
      security: { auth: { selectedType: 'openai', baseUrl: `${elsewhere}/v1`, apiKey: OWN } },
      model: { name: 'my-model' },
    },
    '.qwen/.env': `OPENAI_API_KEY=${OWN}\nOPENAI_BASE_URL=${elsewhere}/v1\n`,
  }),
  pi: (elsewhere) => ({
    '.pi/agent/models.json': { providers: { anthropic: { baseUrl: elsewhere, apiKey: OWN } } },
    '.pi/agent/auth.json': { anthropic: { type: 'api_key', key: OWN } },
  }),
}

let world: World | undefined
let elsewhere: ScriptedUpstream | undefined
afterEach(async () => {
  await world?.close()
  await elsewhere?.close()
  world = undefined
  elsewhere = undefined
})

const wanted = process.env.TEST_AGENT?.split(',')
const agents = AGENTS.filter(
  ({ name }) => OWN_SETTINGS[name] !== undefined && (wanted?.includes(name) ?? true),
)

describe.each(agents)('$name with a login and settings of its own', (agent) => {
  test.skipIf(programOf(agent) === undefined)('is led to the gateway all the same', async () => {
    elsewhere = await startScriptedUpstream()
    world = new World(agent)
    await world.prepare({ name: 'works', accounts: [] })
    for (const [path, content] of Object.entries(OWN_SETTINGS[agent.name]?.(elsewhere.url) ?? {})) {
      const file = join(world.sandbox, 'home', path)
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
    }
    const run = await world.run({ name: 'works', accounts: [] })
    const asked = elsewhere.requests.map(
      ({ method, path, headers }) => `${method} ${path} ${JSON.stringify(headers)}`,
    )
    const told = `accounts ${run.accounts}\n${asked.join('\n')}\n${run.stdout}\n${run.stderr}`
    expect(elsewhere.requests, told).toHaveLength(0)
    expect(run.code, told).toBe(0)
    expect(run.stdout, told).toContain(LAST_WORDS)
    expect(run.accounts, told).toMatch(/^1+$/)
  })
})
