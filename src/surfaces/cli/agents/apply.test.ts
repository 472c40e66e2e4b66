import { describe, expect, it } from 'vitest'
import { applyRecipe, type Endpoint, type Subject } from './apply.js'
import { RECIPES } from './catalogue.js'
import type { Change, Recipe } from './recipe.js'

const TOKEN = 'the-token-of-the-gateway'
const endpoint = (provider: string): Endpoint => ({
  provider,
  base: `http://127.0.0.1:1/${provider}`,
  key: `${provider.toUpperCase()}_API_KEY`,
})
const recipe = (name: string): Recipe => {
  const found = RECIPES.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no recipe ${name}`)
  return found
}

function subject(line: string, changes: Partial<Subject> = {}): Subject {
  return {
    line: line.split(' '),
    env: {},
    endpoints: [endpoint('anthropic'), endpoint('openai'), endpoint('gemini')],
    token: TOKEN,
    platform: 'linux',
    home: '/home/me',
    folder: '/run/child',
    read: () => undefined,
    ...changes,
  }
}
const apply = (name: string, line: string, changes: Partial<Subject> = {}, at: number | undefined = 1) =>
  applyRecipe({ recipe: recipe(name), ...(at === undefined ? {} : { at }) }, subject(line, changes))

describe('a recipe', () => {
  it('sets and removes variables', () => {
    const { env } = apply('claude-code', 'claude -p x', {
      env: { ANTHROPIC_API_KEY: 'a', CLAUDE_CODE_OAUTH_TOKEN: 'b', CLAUDE_CODE_USE_BEDROCK: '1', OTHER: 'c' },
    })
    expect(env).toEqual({
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:1/anthropic',
      ANTHROPIC_AUTH_TOKEN: TOKEN,
      CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: '1',
      OTHER: 'c',
    })
  })

  it('puts its arguments behind the name of the program', () => {
    expect(apply('codex', 'npx -y codex exec hello', {}, 3).line).toEqual([
      'npx',
      '-y',
      'codex',
      '-c',
      'model_provider="keymux"',
      '-c',
      'model_providers.keymux={name="keymux",base_url="http://127.0.0.1:1/openai",env_key="OPENAI_API_KEY",wire_api="responses"}',
      'exec',
      'hello',
    ])
  })

  it('says which arguments are missing where none can be put', () => {
    const { line, problems } = applyRecipe({ recipe: recipe('codex') }, subject('sh -c codex'))
    expect(line).toEqual(['sh', '-c', 'codex'])
    expect(problems).toEqual([expect.stringContaining('add to Codex: -c model_provider="keymux"')])
  })

  it.each(['--auth-type=gemini', '--auth-type openai'])('leaves the user’s own %s alone', (option) => {
    const line = `qwen ${option} -p x`
    expect(apply('qwen-code', line).line).toEqual(line.split(' '))
  })

  it('adds no arguments to subcommands that ask no provider', () => {
    expect(apply('pi', 'pi install x').line).toEqual(['pi', 'install', 'x'])
  })

  it('sets a model only where none is named', () => {
    const named = { OPENAI_MODEL: 'mine' }
    const endpoints = [endpoint('openai')]
    expect(apply('qwen-code', 'qwen', { endpoints, env: named }).env.OPENAI_MODEL).toBe('mine')
    expect(apply('qwen-code', 'qwen', { endpoints }).env.OPENAI_MODEL).toBe('gpt-5')
  })

  it('joins several providers in one variable, laid over the user’s own', () => {
    const own =
      '{ "share": "disabled", // a comment\n "provider": {"anthropic": {"options": {"timeout": 1, "baseURL": "x"}},}}'
    const { env } = apply('opencode', 'opencode', { env: { OPENCODE_CONFIG_CONTENT: own } })
    expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({
      share: 'disabled',
      provider: {
        anthropic: {
          options: {
            timeout: 1,
            baseURL: 'http://127.0.0.1:1/anthropic/v1',
            apiKey: '{env:ANTHROPIC_API_KEY}',
          },
        },
        openai: { options: { baseURL: 'http://127.0.0.1:1/openai', apiKey: '{env:OPENAI_API_KEY}' } },
        google: { options: { baseURL: 'http://127.0.0.1:1/gemini/v1beta', apiKey: '{env:GEMINI_API_KEY}' } },
      },
    })
  })

  it.each(['not json', '[1]', '"text"', '['.repeat(5_000)])(
    'leaves a variable alone that holds %j',
    (own) => {
      const { env, problems } = apply('opencode', 'opencode', {
        env: { OPENCODE_CONFIG_CONTENT: own },
        endpoints: [endpoint('anthropic')],
      })
      expect(env.OPENCODE_CONFIG_CONTENT).toBe(own)
      expect(problems).toEqual([expect.stringContaining('OPENCODE_CONFIG_CONTENT is no JSON object')])
    },
  )

  it('lays a file over the one that would be read otherwise', () => {
    const theirs = { security: { auth: { selectedType: 'oauth-personal' } }, telemetry: { enabled: false } }
    const read = (path: string) =>
      path === '/etc/gemini-cli/settings.json' ? JSON.stringify(theirs) : undefined
    const { env, files } = apply('gemini-cli', 'gemini', { read })
    expect(env).toMatchObject({
      GEMINI_CLI_SYSTEM_SETTINGS_PATH: '/run/child/gemini-cli.json',
      GEMINI_CLI_SYSTEM_DEFAULTS_PATH: '/etc/gemini-cli/system-defaults.json',
    })
    expect(JSON.parse(files.get('gemini-cli.json') ?? '')).toEqual({
      security: { auth: { selectedType: 'gemini-api-key' } },
      telemetry: { enabled: false },
    })
  })

  it('lays it over the one that a variable names', () => {
    const env = { GEMINI_CLI_SYSTEM_SETTINGS_PATH: '/own/settings.json' }
    const read = (path: string) => (path === '/own/settings.json' ? '{"a":1}' : undefined)
    expect(apply('gemini-cli', 'gemini', { env, read }).files.get('gemini-cli.json')).toContain('"a": 1')
  })

  it('keeps a login of the user’s from leading past the gateway', () => {
    const read = (path: string) =>
      path === '/home/me/.local/share/opencode/auth.json' ? '{"openai":{"type":"oauth"}}' : undefined
    expect(apply('opencode', 'opencode', { read }).env.OPENCODE_DISABLE_DEFAULT_PLUGINS).toBe('1')
    expect(apply('opencode', 'opencode').env.OPENCODE_DISABLE_DEFAULT_PLUGINS).toBeUndefined()
    const elsewhere = { read, env: { XDG_DATA_HOME: '/data' } }
    expect(apply('opencode', 'opencode', elsewhere).env.OPENCODE_DISABLE_DEFAULT_PLUGINS).toBeUndefined()
  })
})

describe('every recipe', () => {
  const changes = (each: Recipe): Change[] => {
    const all = [...Object.values(each.providers), ...(each.always === undefined ? [] : [each.always])]
    return [...all, ...all.flatMap(({ conflict }) => (conflict === undefined ? [] : [conflict.change]))]
  }

  it.each(RECIPES.map((each) => [each.name, each] as const))(
    '%s shows the token to nobody',
    (_name, each) => {
      for (const provider of Object.keys(each.providers)) {
        const applied = applyRecipe(
          { recipe: each, at: 1 },
          subject(each.commands[0] ?? '', { endpoints: [endpoint(provider)] }),
        )
        expect(applied.line.join(' ')).not.toContain(TOKEN)
        expect([...applied.files.values()].join('\n')).not.toContain(TOKEN)
        expect([...applied.done, ...applied.problems].join('\n')).not.toContain(TOKEN)
      }
    },
  )

  it.each(RECIPES.map((each) => [each.name, each] as const))('%s leaves no blank', (_name, each) => {
    for (const provider of Object.keys(each.providers)) {
      const { line, env, files } = applyRecipe(
        { recipe: each, at: 1 },
        subject(each.commands[0] ?? '', { endpoints: [endpoint(provider)] }),
      )
      const all = [...line, ...Object.values(env), ...files.values()].join('\n')
      expect(all).not.toMatch(/\{(?:base|provider|key|token|file:)/)
      for (const name of all.matchAll(/\/run\/child\/([\w.-]+)/g))
        expect([...files.keys()]).toContain(name[1])
    }
  })

  it('is known by names of its own', () => {
    const names = RECIPES.flatMap(({ commands, packages }) => [...new Set([...commands, ...packages])])
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted())
    expect(RECIPES.every((each) => each.ignoresEnvironment === true || changes(each).length > 0)).toBe(true)
    expect(RECIPES.every((each) => each.ignoresEnvironment !== true || each.byHand !== undefined)).toBe(true)
  })
})
