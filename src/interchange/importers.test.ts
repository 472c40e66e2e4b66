// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the files refer to variables

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { usageFromJson } from '../domain/profile-codec.js'
import { CATALOGUE } from '../providers/catalogue.js'
import type { ImportContext, ImportResultDraft } from './draft.js'
import { findImporter, IMPORTERS } from './importers.js'

const KNOWN: ReadonlySet<string> = new Set([
  'anthropic',
  'gemini',
  'github-copilot',
  'groq',
  'mistral',
  'openai',
  'qwen',
  'xai',
])
const ALIASES: ReadonlyMap<string, string> = new Map(
  CATALOGUE.flatMap(({ name, aliases = [] }) => aliases.map((one): [string, string] => [one, name])),
)
const SOON = new Date(1_925_000_000_000)

function vector(path: string): Buffer {
  return readFileSync(new URL(`../../test/vectors/imports/${path}`, import.meta.url))
}

function parse(tool: string, contents: unknown, context: Partial<ImportContext> = {}): ImportResultDraft {
  const importer = findImporter(tool)
  if (importer === undefined) throw new Error(`no importer ${tool}`)
  const file = Buffer.isBuffer(contents) ? contents : JSON.stringify(contents)
  return importer.parse(file, { known: KNOWN, aliases: ALIASES, ...context })
}

const none = { skipped: [], failed: [] }

describe('the files of other tools', () => {
  it('claude-code: the access token with its expiry', () => {
    expect(parse('claude-code', vector('claude-code/.credentials.json'))).toEqual({
      drafts: [
        {
          provider: 'anthropic',
          name: 'claude-code',
          mode: 'token',
          ofLogin: true,
          secret: 'sk-ant-oat01-example',
          expiresAt: SOON,
          source: 'claude-code',
        },
      ],
      ...none,
    })
  })

  it('claude-code: the whole login when it is taken over', () => {
    const { drafts } = parse('claude-code', vector('claude-code/.credentials.json'), { takeOver: true })
    expect(drafts).toEqual([
      {
        provider: 'anthropic',
        name: 'claude-code',
        mode: 'oauth',
        oauth: {
          accessToken: 'sk-ant-oat01-example',
          refreshToken: 'sk-ant-ort01-example',
          expiresAt: SOON,
          scopes: ['user:inference', 'user:profile'],
          metadata: { subscription_type: 'max' },
        },
        source: 'claude-code',
      },
    ])
  })

  it('codex: e-mail and account from the id token, expiry from the access token', () => {
    const { drafts, ...rest } = parse('codex', vector('codex/auth.json'))
    expect(rest).toEqual(none)
    expect(drafts).toEqual([
      {
        baseUrl: 'https://chatgpt.com/backend-api/codex',
        headers: { 'chatgpt-account-id': 'acct-1' },
        provider: 'openai',
        name: 'codex@example.com',
        mode: 'token',
        ofLogin: true,
        secret: expect.stringMatching(/^eyJ.*c2ln$/),
        expiresAt: SOON,
        email: 'codex@example.com',
        account: 'acct-1',
        source: 'codex',
      },
    ])
  })

  it('codex: an API key', () => {
    expect(parse('codex', vector('codex-apikey/auth.json'))).toEqual({
      drafts: [
        {
          provider: 'openai',
          name: 'codex',
          mode: 'api_key',
          secret: 'sk-codex-example-0001',
          source: 'codex',
        },
      ],
      ...none,
    })
  })

  it('codex: key and nameless login side by side, and a file with neither', () => {
    const both = parse('codex', { OPENAI_API_KEY: 'sk-a', tokens: { access_token: 'at' } })
    expect(both.drafts.map(({ name, mode }) => [name, mode])).toEqual([
      ['codex', 'api_key'],
      ['codex-login', 'token'],
    ])
    expect(parse('codex', { auth_mode: 'apikey', OPENAI_API_KEY: null, tokens: null })).toEqual({
      drafts: [],
      skipped: [{ id: 'openai:codex', reason: 'the file holds neither an API key nor a login' }],
      failed: [],
    })
  })

  it('copilot: a token without expiry, named after its user', () => {
    expect(parse('copilot', vector('copilot/apps.json'))).toEqual({
      drafts: [
        {
          provider: 'github-copilot',
          name: 'octo',
          mode: 'token',
          secret: 'ghu_example',
          source: 'copilot',
        },
      ],
      ...none,
    })
  })

  it('copilot: several apps and hosts, and the older hosts.json', () => {
    const { drafts, skipped, failed } = parse('copilot', {
      'github.com': { user: 'octo', oauth_token: 'ghu_1' },
      'github.com:Iv1.b': { user: 'octo', oauth_token: 'ghu_2' },
      'github.com:Iv1.c': { user: 'octo', oauth_token: 'ghu_1' },
      'corp.ghe.com:Iv1.d': { user: 'octo', oauth_token: 'ghu_3' },
      'no host': { user: 'octo', oauth_token: 'ghu_4' },
    })
    expect(drafts.map(({ name, secret, baseUrl }) => [name, secret, baseUrl])).toEqual([
      ['octo', 'ghu_1', undefined],
      ['octo-Iv1.b', 'ghu_2', undefined],
      ['octo@corp.ghe.com', 'ghu_3', 'https://copilot-api.corp.ghe.com'],
    ])
    expect(skipped).toEqual([
      { id: 'github.com:Iv1.c', reason: 'it holds the same credential as github-copilot:octo' },
    ])
    expect(failed).toEqual([{ id: 'no host', reason: 'file["no host"]: expected a host name' }])
  })

  it('gemini-cli: e-mail from the id token, else from the accounts file beside it', () => {
    const { drafts } = parse('gemini-cli', vector('gemini-cli/oauth_creds.json'))
    expect(drafts).toEqual([
      {
        provider: 'gemini',
        name: 'gem@example.com',
        mode: 'token',
        ofLogin: true,
        secret: 'ya29.example',
        expiresAt: SOON,
        email: 'gem@example.com',
        source: 'gemini-cli',
      },
    ])
    expect(findImporter('gemini-cli')?.companions).toEqual(['google_accounts.json'])
    const companions = { 'google_accounts.json': vector('gemini-cli/google_accounts.json') }
    const without = { access_token: 'ya29.x', refresh_token: '1//x' }
    expect(parse('gemini-cli', without).drafts[0]?.name).toBe('gemini-cli')
    expect(parse('gemini-cli', without, { companions }).drafts[0]).toMatchObject({
      name: 'gem@example.com',
      email: 'gem@example.com',
    })
  })

  it('gemini-cli: scopes go along with a login that is taken over', () => {
    const { drafts } = parse('gemini-cli', vector('gemini-cli/oauth_creds.json'), { takeOver: true })
    expect(drafts[0]?.oauth).toEqual({
      accessToken: 'ya29.example',
      refreshToken: '1//example',
      expiresAt: SOON,
      email: 'gem@example.com',
      scopes: ['https://www.googleapis.com/auth/cloud-platform', 'openid'],
    })
  })

  it('llm: known names, none for the note', () => {
    expect(parse('llm', vector('llm/keys.json'))).toEqual({
      drafts: [
        { provider: 'openai', name: 'llm', mode: 'api_key', secret: 'sk-llm-example', source: 'llm' },
        { provider: 'mistral', name: 'llm', mode: 'api_key', secret: 'mistral-llm-example', source: 'llm' },
      ],
      ...none,
    })
  })

  it('llm: other names of a provider, unknown names, empty and wrong values', () => {
    const file = { gemini: 'g1', google: 'g2', claude: 'c', together: 't', groq: '', xai: 5 }
    const { drafts, skipped, failed } = parse('llm', file)
    expect(drafts.map(({ provider, name }) => `${provider}:${name}`)).toEqual([
      'gemini:llm',
      'gemini:llm-google',
      'anthropic:llm',
    ])
    expect(skipped).toEqual([
      {
        id: 'together',
        reason: 'keymux knows no such provider; declare it with keymux providers add',
      },
      { id: 'groq', reason: 'it is empty' },
    ])
    expect(failed).toEqual([{ id: 'xai', reason: 'file["xai"]: expected a text' }])
  })

  it('openclaw: names, references, priorities, use and last good ones', () => {
    const { drafts, ...rest } = parse('openclaw', vector('openclaw/auth-profiles.json'))
    expect(rest).toEqual(none)
    expect(drafts).toEqual([
      {
        provider: 'openai',
        name: 'default',
        mode: 'api_key',
        secret: 'sk-openclaw-1',
        priority: 1,
        lastGood: true,
        usage: {
          last_used: '2025-11-22T08:26:40Z',
          cooldown_until: '2025-11-22T08:27:10Z',
          error_count: 1,
          failure_counts: { rate_limit: 1 },
          last_failure_at: '2025-11-22T08:26:40Z',
        },
        source: 'openclaw',
      },
      {
        provider: 'openai',
        name: 'me@example.com',
        mode: 'token',
        ofLogin: true,
        secret: 'ocl-at',
        expiresAt: SOON,
        email: 'me@example.com',
        account: 'acct-9',
        priority: 2,
        source: 'openclaw',
      },
      {
        provider: 'anthropic',
        name: 'setup',
        mode: 'token',
        secret: 'sk-ant-oat-openclaw',
        expiresAt: SOON,
        source: 'openclaw',
      },
      {
        provider: 'groq',
        name: 'env',
        mode: 'api_key',
        reference: 'env://GROQ_API_KEY',
        source: 'openclaw',
      },
    ])
    expect(usageFromJson(drafts[0]?.usage).failureCounts).toEqual({ rate_limit: 1 })
  })

  it('openclaw: clashes after renaming, secrets kept elsewhere, unknown kinds and damaged use', () => {
    const { drafts, skipped, failed } = parse('openclaw', {
      profiles: {
        'openai:default': { type: 'api_key', provider: 'openai', key: '${OPENAI_API_KEY}' },
        'openai-codex:default': { type: 'oauth', provider: 'openai-codex', access: 'at', refresh: 'rt' },
        'anthropic:a': { mode: 'api_key', provider: 'anthropic', key: 'k' },
        'anthropic:b': { type: 'api_key', provider: 'anthropic', keyRef: { source: 'exec', id: 'x' } },
        'anthropic:c': { type: 'mtls', provider: 'anthropic' },
        'anthropic: d': { type: 'token', provider: 'anthropic', token: 't' },
        'anthropic:e': { type: 'api_key', provider: 'anthropic', keyRef: { source: 'env', id: 'A B' } },
        'zai:f': { type: 'api_key', provider: 'zai', key: 'k' },
      },
      usageStats: {
        'anthropic:a': { errorCount: -1 },
        'openai:default': { disabledUntil: 1_763_800_000_000, disabledReason: 'moon_phase' },
      },
    })
    expect(drafts.map((draft) => `${draft.provider}:${draft.name}`)).toEqual([
      'openai:default',
      'openai:default-openai-codex',
      'anthropic:a',
    ])
    expect(drafts[0]).toMatchObject({
      reference: 'env://OPENAI_API_KEY',
      usage: { disabled_reason: 'unknown', disabled_until: '2025-11-22T08:26:40Z' },
    })
    expect(drafts[2]).not.toHaveProperty('usage')
    expect(skipped.map(({ id }) => id)).toEqual(['anthropic:b', 'anthropic:c', 'zai:f'])
    expect(failed).toEqual([
      {
        id: 'usageStats["anthropic:a"]',
        reason: 'usageStats["anthropic:a"].errorCount: expected a whole number of at least 0',
      },
      { id: 'anthropic: d', reason: '" d" is not a profile name: it begins or ends with a space' },
      { id: 'anthropic:e', reason: 'profiles["anthropic:e"].keyRef.id: expected the name of a variable' },
    ])
  })

  it('opencode: keys and logins; a token for a server of its own is skipped', () => {
    const { drafts, skipped, failed } = parse('opencode', vector('opencode/auth.json'))
    expect(drafts).toEqual([
      {
        provider: 'anthropic',
        name: 'opencode',
        mode: 'token',
        ofLogin: true,
        secret: 'oc-at',
        expiresAt: SOON,
        source: 'opencode',
      },
      {
        provider: 'openai',
        name: 'opencode',
        mode: 'api_key',
        secret: 'sk-opencode-example',
        source: 'opencode',
      },
      {
        provider: 'groq',
        name: 'opencode',
        mode: 'api_key',
        secret: 'gsk_opencode_example',
        source: 'opencode',
      },
    ])
    expect(skipped).toEqual([
      {
        id: 'https://corp.example/x',
        reason: 'its token belongs to a server of its own, not to a provider',
      },
    ])
    expect(failed).toEqual([])
  })

  it('opencode: a login without access token, one that does not expire', () => {
    const file = {
      anthropic: { type: 'oauth', access: '', refresh: 'rt', expires: 0 },
      'github-copilot': { type: 'oauth', access: 'gho_x', refresh: 'gho_x', expires: 0 },
      groq: { type: 'oauth' },
    }
    const plain = parse('opencode', file)
    expect(plain.drafts).toEqual([
      {
        provider: 'github-copilot',
        name: 'opencode',
        mode: 'token',
        ofLogin: true,
        secret: 'gho_x',
        source: 'opencode',
      },
    ])
    expect(plain.skipped).toEqual([
      {
        id: 'anthropic',
        reason: 'the login holds no access token, only a refresh token; --take-over imports it',
      },
      { id: 'groq', reason: 'the login holds no access token' },
    ])
    const taken = parse('opencode', file, { takeOver: true })
    expect(taken.drafts[0]).toMatchObject({
      mode: 'oauth',
      oauth: { accessToken: '', refreshToken: 'rt', expiresAt: new Date(0) },
    })
  })

  it('pi: a key, a command that is not run, an enterprise login', () => {
    const { drafts, skipped, failed } = parse('pi', vector('pi/auth.json'))
    expect(drafts).toEqual([
      { provider: 'anthropic', name: 'pi', mode: 'api_key', secret: 'sk-ant-pi-example', source: 'pi' },
      {
        provider: 'github-copilot',
        name: 'pi',
        mode: 'token',
        ofLogin: true,
        secret: 'pi-at',
        expiresAt: SOON,
        baseUrl: 'https://copilot-api.ghe.example.com',
        source: 'pi',
      },
    ])
    expect(skipped).toEqual([
      { id: 'openai', reason: 'its key is the output of a command, which is not run' },
    ])
    expect(failed).toEqual([])
  })

  it('pi: the name of a variable becomes a reference', () => {
    const { drafts } = parse('pi', {
      openai: { type: 'api_key', key: 'MY_OPENAI_KEY' },
      groq: { type: 'api_key', key: '${GROQ_API_KEY}' },
      mistral: { type: 'api_key', key: '$mistral' },
      xai: { type: 'api_key', key: 'XAI-0123' },
    })
    expect(drafts.map(({ reference, secret }) => reference ?? secret)).toEqual([
      'env://MY_OPENAI_KEY',
      'env://GROQ_API_KEY',
      'env://mistral',
      'XAI-0123',
    ])
  })

  it('qwen-code: the address that came with the login', () => {
    expect(parse('qwen-code', vector('qwen-code/oauth_creds.json')).drafts).toEqual([
      {
        provider: 'qwen',
        name: 'qwen-code',
        mode: 'token',
        ofLogin: true,
        secret: 'qwen-at-example',
        expiresAt: SOON,
        baseUrl: 'https://portal.qwen.ai/v1',
        source: 'qwen-code',
      },
    ])
  })

  it.each([
    ['https://portal.qwen.ai/v1/', 'https://portal.qwen.ai/v1'],
    ['portal.qwen.ai/api', 'https://portal.qwen.ai/api/v1'],
    [undefined, undefined],
  ])('qwen-code: address %s', (resource_url, baseUrl) => {
    const { drafts } = parse('qwen-code', { access_token: 'at', resource_url })
    expect(drafts[0]?.baseUrl).toBe(baseUrl)
  })

  it.each(['http://portal.qwen.ai', 'https://u:p@portal.qwen.ai', 'https://', 'a b'])(
    'qwen-code: no token goes to %s',
    (resource_url) => {
      expect(() => parse('qwen-code', { access_token: 'at', resource_url })).toThrow(
        expect.objectContaining({
          code: 'invalid_import',
          message: 'resource_url: expected an https address',
        }),
      )
    },
  )
})

describe('every importer', () => {
  it('says which field of its file is wrong, never what it holds', () => {
    const cases: [string, unknown, string][] = [
      ['claude-code', {}, 'claudeAiOauth: expected an object'],
      ['claude-code', { claudeAiOauth: { accessToken: 7 } }, 'claudeAiOauth.accessToken: expected a text'],
      [
        'claude-code',
        { claudeAiOauth: { accessToken: 'a', expiresAt: 'soon' } },
        'claudeAiOauth.expiresAt: expected a whole number of at least 0',
      ],
      [
        'claude-code',
        { claudeAiOauth: { accessToken: 'a', expiresAt: Number.MAX_SAFE_INTEGER } },
        'claudeAiOauth.expiresAt: expected milliseconds since 1970',
      ],
      ['codex', { OPENAI_API_KEY: ['sk-x'] }, 'OPENAI_API_KEY: expected a text'],
      ['codex', { tokens: 'x' }, 'tokens: expected an object'],
      ['openclaw', { version: 1 }, 'profiles: expected an object'],
      ['openclaw', { profiles: {}, order: { openai: 'x' } }, 'order.openai: expected a list of texts'],
      ['pi', [], 'the document: expected an object'],
      ['opencode', null, 'the document: expected an object'],
    ]
    for (const [tool, file, message] of cases) {
      expect(() => parse(tool, file)).toThrow(expect.objectContaining({ code: 'invalid_import', message }))
    }
  })

  it('reads the file of a Windows shell, in UTF-16 with a byte order mark', () => {
    const file = Buffer.from(`\ufeff${JSON.stringify({ openai: 'sk-ключ' })}`, 'utf16le')
    expect(parse('llm', file).drafts[0]?.secret).toBe('sk-ключ')
  })

  it('understands an expiry in seconds', () => {
    const { drafts } = parse('pi', { anthropic: { type: 'oauth', access: 'a', expires: 1_925_000_000 } })
    expect(drafts[0]?.expiresAt).toEqual(SOON)
  })

  it('has a name of its own and places on every platform', () => {
    expect(new Set(IMPORTERS.map(({ name }) => name)).size).toBe(IMPORTERS.length)
    expect(findImporter('nothing')).toBeUndefined()
    for (const importer of IMPORTERS) {
      for (const path of importer.defaultPaths('/home/ada', {}, 'linux')) {
        expect(path).toMatch(/^\/home\/ada\/\..*\.json$/)
      }
      for (const path of importer.defaultPaths('C:\\Users\\ada', {}, 'win32')) {
        expect(path).toMatch(/^C:\\Users\\ada\\[^/]*\.json$/)
      }
    }
  })

  it.each([
    ['claude-code', { CLAUDE_CONFIG_DIR: '/c' }, 'linux', ['/c/.credentials.json']],
    ['codex', { CODEX_HOME: '/c' }, 'linux', ['/c/auth.json']],
    [
      'copilot',
      { XDG_CONFIG_HOME: '/x' },
      'linux',
      ['/x/github-copilot/apps.json', '/x/github-copilot/hosts.json'],
    ],
    [
      'copilot',
      { LOCALAPPDATA: 'D:\\l' },
      'win32',
      ['D:\\l\\github-copilot\\apps.json', 'D:\\l\\github-copilot\\hosts.json'],
    ],
    ['gemini-cli', { GEMINI_CLI_HOME: '/g' }, 'linux', ['/g/.gemini/oauth_creds.json']],
    ['llm', { LLM_USER_PATH: '/l' }, 'linux', ['/l/keys.json']],
    ['llm', {}, 'linux', ['/home/ada/.config/io.datasette.llm/keys.json']],
    ['llm', {}, 'darwin', ['/home/ada/Library/Application Support/io.datasette.llm/keys.json']],
    ['llm', { APPDATA: 'D:\\r' }, 'win32', ['D:\\r\\io.datasette.llm\\keys.json']],
    ['openclaw', {}, 'linux', ['/home/ada/.openclaw/agents/main/agent/auth-profiles.json']],
    ['openclaw', { OPENCLAW_STATE_DIR: '/s' }, 'linux', ['/s/agents/main/agent/auth-profiles.json']],
    ['openclaw', { OPENCLAW_AGENT_DIR: '/a' }, 'linux', ['/a/auth-profiles.json']],
    ['opencode', { XDG_DATA_HOME: '/d' }, 'darwin', ['/d/opencode/auth.json']],
    ['pi', { PI_CODING_AGENT_DIR: '/p' }, 'linux', ['/p/auth.json']],
    ['qwen-code', {}, 'linux', ['/home/ada/.qwen/oauth_creds.json']],
  ])('%s keeps its file where %j says on %s', (tool, env, platform, paths) => {
    expect(findImporter(tool)?.defaultPaths('/home/ada', env, platform)).toEqual(paths)
  })
})
