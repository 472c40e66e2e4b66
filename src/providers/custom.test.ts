import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { CATALOGUE } from './catalogue.js'
import { customProviderToJson, parseCustomProvider } from './custom.js'
import { PROVIDER_KEYS } from './declaration.js'

const FULL = {
  label: 'Corp LLM',
  base_url: 'https://llm.corp.example/v1/',
  auth: 'header:X-Corp-Key',
  modes: ['api_key', 'oauth'],
  env_key: 'CORP_KEY',
  base_url_env: 'CORP_BASE_URL',
  family: 'anthropic',
  check: { method: 'GET', path: '/models?limit=1' },
  oauth: {
    issuer: 'https://id.corp.example',
    authorization_endpoint: 'https://id.corp.example/authorize?tenant=1',
    token_endpoint: 'https://id.corp.example/token',
    device_authorization_endpoint: 'https://id.corp.example/device',
    revocation_endpoint: 'https://id.corp.example/revoke',
    client_id: 'keymux',
    client_secret_ref: 'vault://CORP_CLIENT_SECRET',
    scopes: ['openid', 'llm:use'],
    token_request: 'json',
    redirect_uri: 'http://127.0.0.1:1455/callback',
  },
}

function problem(value: unknown, name = 'corp'): KeymuxError {
  try {
    parseCustomProvider(name, value)
  } catch (error) {
    if (error instanceof KeymuxError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('parseCustomProvider', () => {
  it('reads every key', () => {
    expect(parseCustomProvider('Corp', FULL)).toEqual({
      name: 'corp',
      label: 'Corp LLM',
      description: 'Custom provider',
      modes: ['api_key', 'oauth'],
      envKey: 'CORP_KEY',
      baseUrl: 'https://llm.corp.example/v1',
      baseUrlEnv: 'CORP_BASE_URL',
      auth: 'header:x-corp-key',
      family: 'anthropic',
      check: { method: 'GET', path: '/models?limit=1' },
      oauth: {
        issuer: 'https://id.corp.example',
        authorizationEndpoint: 'https://id.corp.example/authorize?tenant=1',
        tokenEndpoint: 'https://id.corp.example/token',
        deviceAuthorizationEndpoint: 'https://id.corp.example/device',
        revocationEndpoint: 'https://id.corp.example/revoke',
        clientId: 'keymux',
        clientSecretRef: 'vault://CORP_CLIENT_SECRET',
        scopes: ['openid', 'llm:use'],
        tokenRequest: 'json',
        redirectUri: 'http://127.0.0.1:1455/callback',
      },
    })
  })

  it('says everything that a built-in one can', () => {
    const said = {
      base_url: 'https://llm.corp.example',
      auth: { header: 'Authorization', prefix: 'Token' },
      failure_family: 'dashscope',
      headers: { 'X-Api-Version': '2' },
      keyless: true,
      api_prefix: '/api/v3',
      api_paths: ['chat', 'models'],
      compatible_path: '/openai/v1',
      realtime: false,
      unpaid: { status: 402, type: 'no_money', code: 'no_money', message: 'Pay first' },
      docs: 'https://docs.corp.example/auth',
      aliases: ['corp-llm'],
      own_base_urls: ['https://eu.corp.example'],
      env_aliases: ['CORP_LLM_KEY'],
      direct_env_keys: ['CORP_SDK_KEY'],
      token_env_key: 'CORP_TOKEN',
      token_env_keys: { 'corp-oat': 'CORP_OAUTH_TOKEN' },
      token_headers: { 'corp-oat': { 'x-corp-beta': 'oauth' } },
      base_url_aliases: ['CORP_API_BASE'],
      related_env: ['CORP_ORG'],
      failure_rules: [{ status: 418, reason: 'rate_limit', scope: 'credential', retry_after_seconds: 60 }],
      health: false,
      proxy: 'http://proxy.corp.example:3128',
    }
    const provider = parseCustomProvider('corp', said)
    expect(provider).toMatchObject({
      auth: { header: 'authorization', prefix: 'Token' },
      failureFamily: 'dashscope',
      headers: { 'x-api-version': '2' },
      keyless: true,
      apiPrefix: '/api/v3',
      apiPaths: ['chat', 'models'],
      compatiblePath: '/openai/v1',
      realtime: false,
      unpaid: { status: 402, type: 'no_money', code: 'no_money', message: 'Pay first' },
      aliases: ['corp-llm'],
      ownBaseUrls: ['https://eu.corp.example'],
      directEnvKeys: ['CORP_SDK_KEY'],
      tokenHeaders: { 'corp-oat': { 'x-corp-beta': 'oauth' } },
      failureRules: [{ status: 418, reason: 'rate_limit', scope: 'credential', retryAfterSeconds: 60 }],
      health: false,
      proxy: 'http://proxy.corp.example:3128',
    })
    expect(parseCustomProvider('corp', customProviderToJson(provider))).toEqual(provider)
    // Nothing is left but what follows from the rest, or is of no use to a provider of one's own.
    const left = PROVIDER_KEYS.filter((key) => !Object.hasOwn(provider, key))
    const apart = ['baseUrlEnv', 'baseUrlExample', 'check', 'login', 'oauth']
    expect(left.filter((key) => !apart.includes(key))).toEqual([
      'website',
      'scopes',
      'oauthEndpoint',
      'parentProvider',
      'suggestedNames',
    ])
  })

  it.each(CATALOGUE.map((provider) => [provider.name, provider] as const))(
    'can say what is said of %s',
    (_name, { name: _, label, modes, baseUrl = 'https://account.example', ...rest }) => {
      const {
        description: __,
        website: ___,
        scopes: ____,
        oauthEndpoint: _____,
        baseUrlExample: ______,
        // One of your own says oauth.
        login: _______,
        ...said
      } = rest
      const declared = customProviderToJson({ ...said, name: 'corp', label, description: '', modes, baseUrl })
      expect(parseCustomProvider('corp', declared)).toMatchObject({ ...said, baseUrl })
    },
  )

  it('wants no more than a base URL', () => {
    expect(parseCustomProvider('7th-floor.llm', { base_url: 'http://localhost:8080' })).toEqual({
      name: '7th-floor.llm',
      label: '7th-floor.llm',
      description: 'Custom provider',
      modes: ['api_key'],
      envKey: '_7TH_FLOOR_LLM_API_KEY',
      baseUrl: 'http://localhost:8080',
      auth: 'bearer',
      family: 'openai',
    })
  })

  it('with OAuth settings it takes OAuth logins too', () => {
    const oauth = { issuer: 'https://id.corp.example', client_id: 'x' }
    expect(parseCustomProvider('corp', { base_url: 'https://a.example', oauth }).modes).toEqual([
      'api_key',
      'oauth',
    ])
  })

  it.each([
    'https://llm.corp.example',
    'https://llm.corp.example:8443/a/b',
    'http://localhost:1234/v1',
    'http://127.0.0.1',
    'http://127.8.9.10:80/x',
    'http://[::1]:9/v1',
  ])('base_url %s', (base_url) => {
    expect(parseCustomProvider('corp', { base_url }).baseUrl).toBe(base_url.replace(':80/', '/'))
  })

  it.each([
    'http://llm.corp.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://127.evil.example',
    'http://[::ffff:7f00:1]',
    'http://0.0.0.0',
    'https://user:pass@corp.example',
    'https://user@corp.example',
    'https://corp.example/?a=b',
    'https://corp.example/v1?',
    'https://corp.example/#x',
    'https://corp.example/v1#',
    'https://corp.example\\@evil.example',
    'https://cor\np.example',
    ' https://corp.example',
    'ftp://corp.example',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'corp.example',
    '',
    7,
    null,
    ['https://corp.example'],
  ])('refuses base_url %j', (base_url) => {
    expect(problem({ base_url })).toMatchObject({
      code: 'invalid_provider',
      message: 'provider "corp": base_url must be an https URL without user name, query or fragment',
    })
  })

  it.each<[string, object, string]>([
    ['unknown key', { lable: 'x' }, 'unknown key "lable"'],
    ['camelCase', { baseUrl: 'https://x.example' }, 'unknown key "baseUrl"'],
    ['original’s field', { website: 'https://x.example' }, 'unknown key "website"'],
    ['__proto__', JSON.parse('{"__proto__": {"label": "x"}}'), 'unknown key "__proto__"'],
    ['label', { label: '' }, 'label must be a text of 1 to 256 characters'],
    ['label', { label: 'a\u001b[31m' }, 'label must be a text'],
    ['label', { label: null }, 'label must be a text'],
    ['label', { label: 'x'.repeat(257) }, 'label must be a text'],
    ['auth', { auth: 'basic' }, 'auth must be bearer, x-api-key, x-goog-api-key or header:NAME'],
    ['auth', { auth: 'header:' }, 'auth must be header: and the name of a header'],
    ['auth', { auth: 'header:two words' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:a\r\nb' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:Host' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:Content-Length' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:cookie' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:transfer-encoding' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:Connection' }, 'auth must be header: and the name'],
    ['auth', { auth: 'header:Proxy-Authorization' }, 'auth must be header: and the name'],
    ['modes', { modes: [] }, 'modes must be a list of distinct modes out of api_key, oauth, token'],
    ['modes', { modes: 'api_key' }, 'modes must be a list'],
    ['modes', { modes: ['api_key', 'api_key'] }, 'modes must be a list'],
    ['modes', { modes: ['apikey'] }, 'modes must be a list'],
    ['env_key', { env_key: 'CORP KEY' }, 'env_key must be the name of an environment variable'],
    ['env_key', { env_key: '1KEY' }, 'env_key must be the name'],
    ['env_key', { env_key: 'A=B' }, 'env_key must be the name'],
    ['env_key', { env_key: 'path' }, 'env_key must be the name'],
    ['base_url_env', { base_url_env: 'NODE_OPTIONS' }, 'base_url_env must be the name'],
    ['base_url_env', { base_url_env: 'LD_PRELOAD' }, 'base_url_env must be the name'],
    ['base_url_env', { base_url_env: 'KEYMUX_VAULT' }, 'base_url_env must be the name'],
    ['family', { family: 'cohere' }, 'family must be openai, anthropic or gemini'],
    ['check', { check: '/models' }, 'check must be an object with method, path'],
    ['check', { check: { path: '/models' } }, 'check.method must be GET or POST'],
    ['check', { check: { method: 'DELETE', path: '/' } }, 'check.method must be GET or POST'],
    ['check', { check: { method: 'GET' } }, 'check.path must be a path that begins with one slash'],
    ['check', { check: { method: 'GET', path: 'models' } }, 'check.path must be a path'],
    ['check', { check: { method: 'GET', path: '//evil.example' } }, 'check.path must be a path'],
    ['check', { check: { method: 'GET', path: '/a/../../b' } }, 'check.path must be a path'],
    ['check', { check: { method: 'GET', path: '/a/%2E%2e' } }, 'check.path must be a path'],
    ['check', { check: { method: 'GET', path: '/a b' } }, 'check.path must be a path'],
    ['check', { check: { method: 'GET', path: '/a', body: 'x' } }, 'check: unknown key "body"'],
    ['auth', { auth: { header: 'host' } }, 'auth.header must be the name of a header that may carry'],
    ['auth', { auth: { header: 'x-key', prefix: 'two words' } }, 'auth.prefix must be one word'],
    ['auth', { auth: { header: 'x-key', suffix: 'x' } }, 'auth: unknown key "suffix"'],
    ['failure_family', { failure_family: 'acme' }, 'failure_family must be one of openai, anthropic, gemini'],
    ['failure_family', { failure_family: ['zai'] }, 'failure_family must be one of'],
    ['headers', { headers: { authorization: 'x' } }, 'headers must be an object of header names'],
    ['headers', { headers: { 'X-Api-Key': 'x' } }, 'headers must be an object of header names'],
    ['headers', { headers: ['x'] }, 'headers must be an object of header names'],
    ['keyless', { keyless: 'yes' }, 'keyless must be true or false'],
    ['realtime', { realtime: 1 }, 'realtime must be true or false'],
    ['api_prefix', { api_prefix: 'v1' }, 'api_prefix must be a path such as /openai/v1'],
    ['api_prefix', { api_prefix: '/v1/' }, 'api_prefix must be a path'],
    ['api_prefix', { api_prefix: '/../x' }, 'api_prefix must be a path'],
    ['api_prefix', { api_prefix: '/a/..' }, 'api_prefix must be a path'],
    ['api_prefix', { api_prefix: '/a?b' }, 'api_prefix must be a path'],
    ['api_paths', { api_paths: [] }, 'api_paths must be a list of 1 to 64 first parts of paths'],
    ['api_paths', { api_paths: ['a|b'] }, 'api_paths must be a list'],
    ['api_paths', { api_paths: ['.*'] }, 'api_paths must be a list'],
    ['compatible_path', { compatible_path: '//evil.example' }, 'compatible_path must be a path'],
    ['compatible_path', { compatible_path: '/%2e%2e' }, 'compatible_path must be a path'],
    ['unpaid', { unpaid: { status: 200, message: 'x' } }, 'unpaid.status must be a status from 400 to 499'],
    ['unpaid', { unpaid: { status: 402 } }, 'unpaid.message must be a text'],
    ['aliases', { aliases: ['Two Words'] }, 'aliases must be a list of at most 64 provider names'],
    ['docs', { docs: 'javascript:alert(1)' }, 'docs must be an https URL'],
    ['env_aliases', { env_aliases: ['PATH'] }, 'env_aliases must be a list'],
    ['direct_env_keys', { direct_env_keys: ['LD_PRELOAD'] }, 'direct_env_keys must be a list'],
    ['own_base_urls', { own_base_urls: ['http://x.example'] }, 'own_base_urls must be an https URL'],
    ['oauth', { oauth: [] }, 'oauth must be an object with issuer, authorization_endpoint'],
    ['oauth', { oauth: { issuer: 'https://x.example' } }, 'oauth.client_id must be a text'],
    ['oauth', { oauth: { client_id: 'x' } }, 'oauth.issuer must be given'],
    [
      'oauth',
      { oauth: { client_id: 'x', authorization_endpoint: 'https://x.example/a' } },
      'oauth.issuer must be given',
    ],
    ['oauth', { oauth: { client_id: 'x', issuer: 'http://x.example' } }, 'oauth.issuer must be an https URL'],
    [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', token_endpoint: 'https://x.example/#f' } },
      'oauth.token_endpoint must be an https URL',
    ],
    [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', scopes: ['a b'] } },
      'oauth.scopes must be a list',
    ],
    [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', scopes: 'openid' } },
      'oauth.scopes must be a list',
    ],
    [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', token_request: 'xml' } },
      'oauth.token_request must be form or json',
    ],
    [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', redirect_uri: 'urn:ietf:wg:oauth:2.0:oob' } },
      'oauth.redirect_uri must be http://127.0.0.1 or http://localhost',
    ],
    ...[
      'https://example.com/cb',
      'https://127.0.0.1/cb',
      'http://[::1]:1455/cb',
      'http://127.0.0.2/cb',
      'http://127.0.0.1:1455/cb?x=1',
      'http://127.0.0.1:1455/cb#x',
      'http://user@127.0.0.1/cb',
    ].map((redirect_uri): [string, object, string] => [
      'oauth',
      { oauth: { client_id: 'x', issuer: 'https://x.example', redirect_uri } },
      'oauth.redirect_uri must be http://127.0.0.1 or http://localhost',
    ]),
  ])('%s: refuses %j', (_key, fields, message) => {
    const error = problem({ base_url: 'https://llm.corp.example', ...fields })
    expect(error.code).toBe('invalid_provider')
    expect(error.message).toContain(`provider "corp": ${message}`)
  })

  it('names the way to keep a client secret and repeats no secret', () => {
    const oauth = { issuer: 'https://x.example', client_id: 'x' }
    const literal = problem({
      base_url: 'https://x.example',
      oauth: { ...oauth, client_secret: 's3cr3t-value' },
    })
    expect(literal.message).toBe(
      'provider "corp": oauth.client_secret must be kept as a named secret and given as client_secret_ref',
    )
    expect(literal.hint).toContain('client_secret_ref: vault://NAME')
    const inReference = problem({
      base_url: 'https://x.example',
      oauth: { ...oauth, client_secret_ref: 's3cr3t-value' },
    })
    expect(inReference.message).toContain('oauth.client_secret_ref must be a reference')
    for (const error of [literal, inReference])
      expect(`${error.message}${error.hint}`).not.toContain('s3cr3t')
  })

  it('base_url is required', () => {
    expect(problem({})).toMatchObject({ message: 'provider "corp": base_url must be given' })
  })

  it.each([undefined, null, 'x', 7, [], true])('refuses the declaration %j', (value) => {
    expect(problem(value).message).toMatch(
      /^provider "corp": its declaration must be an object with label, base_url/,
    )
  })

  it.each(['', 'two words', '-x', 'a:b', 'x'.repeat(65)])('refuses the name "%s"', (name) => {
    expect(problem({ base_url: 'https://x.example' }, name).code).toBe('invalid_provider')
  })

  it('gives a provider or a KeymuxError for anything', () => {
    fc.assert(
      fc.property(fc.string(), fc.anything({ withNullPrototype: true, withMap: true }), (name, value) => {
        try {
          parseCustomProvider(name, value)
        } catch (error) {
          expect(error).toBeInstanceOf(KeymuxError)
        }
      }),
    )
  })
})

describe('customProviderToJson', () => {
  it.each([FULL, { base_url: 'http://localhost:11434/v1' }])('writes what is read back', (value) => {
    const provider = parseCustomProvider('corp', value)
    const json = customProviderToJson(provider)
    expect(parseCustomProvider('corp', JSON.parse(JSON.stringify(json)))).toEqual(provider)
  })

  it('keeps the spelling of files', () => {
    expect(customProviderToJson(parseCustomProvider('corp', FULL))).toEqual({
      ...FULL,
      base_url: 'https://llm.corp.example/v1',
      auth: 'header:x-corp-key',
    })
  })
})
