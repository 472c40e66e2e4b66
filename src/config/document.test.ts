import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isKeymuxError } from '../domain/errors.js'
import { parseConfigText } from './document.js'
import { ConfigError } from './errors.js'
import { parseConfigObject } from './load.js'
import { describeConfig } from './schema.js'

const WHOLE = `default_preference: recent
reserve: { '*': 5, OpenAI: 12.5 }
cooldown:
  rate_limit_seconds: 30
  billing_backoff_hours: 5
  billing_max_hours: 24.5
  failure_window_hours: 24
  by_provider: { Groq: { rate_limit_seconds: 10 }, openai: { billing_backoff_hours: 1 } }
providers:
  corp: { label: Corp, base_url: https://ai.corp.example/v1, auth: bearer, modes: [api_key] }
chains:
  fast: [groq:llama-3.3-70b-versatile, OpenAI:gpt-4o-mini, openrouter:vendor/model:free, mistral]
gateway:
  port: 0
  host: "::1"
  first_byte_timeout_seconds: 5
  idle_timeout_seconds: 90
  deadline_seconds: 60
  max_wait_seconds: 0
  replay_limit_mb: 2
  hold: { requests: 8 }
  health: { OpenAI: false, "anthropic:Work": true }
  privacy: true
references: { exec: true }
proxy: vault://corp-proxy
`

function problemsOf(text: string): readonly string[] {
  try {
    parseConfigText(text, 'c.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).problems
  }
  return []
}

describe('parseConfigText', () => {
  test('reads every setting', () => {
    const { providers, ...config } = parseConfigText(WHOLE, 'c.yaml')
    expect(config).toEqual({
      defaultPreference: 'recent',
      cooldown: {
        rateLimitSeconds: 30,
        billingBackoffHours: 5,
        billingMaxHours: 24.5,
        failureWindowHours: 24,
        byProvider: { groq: { rateLimitSeconds: 10 }, openai: { billingBackoffHours: 1 } },
      },
      reserve: { '*': 5, openai: 12.5 },
      chains: {
        fast: [
          'groq:llama-3.3-70b-versatile',
          'openai:gpt-4o-mini',
          'openrouter:vendor/model:free',
          'mistral',
        ],
      },
      gateway: {
        port: 0,
        host: '::1',
        firstByteTimeoutSeconds: 5,
        idleTimeoutSeconds: 90,
        deadlineSeconds: 60,
        maxWaitSeconds: 0,
        replayLimitMb: 2,
        hold: { requests: 8, megabytes: 64 },
        health: { openai: false, 'anthropic:Work': true },
        privacy: true,
      },
      failureRules: [],
      references: { exec: true },
      proxy: 'vault://corp-proxy',
    })
    expect(providers.corp?.settings).toEqual({
      label: 'Corp',
      base_url: 'https://ai.corp.example/v1',
      auth: 'bearer',
      modes: ['api_key'],
    })
  })

  test('can be written down and read again', () => {
    const described = describeConfig(parseConfigText(WHOLE, 'c.yaml'))
    expect(describeConfig(parseConfigText(JSON.stringify(described), 'd.yaml'))).toEqual(described)
  })

  test('is shown without secrets that stand in the wrong place', () => {
    const providers = {
      openai: { proxy: 'http://u:MARKproxy@h:1' },
      corp: {
        base_url: 'https://u:MARKbase@corp.example',
        env_key: 'CORP_API_KEY',
        oauth: {
          issuer: 'https://u:MARKissuer@corp.example',
          client_id: 'shown',
          client_secret: 'MARKsecret',
          client_secret_ref: 'MARKref',
        },
      },
      other: { base_url: 'https://other.example', oauth: { client_secret_ref: 'vault://NAME' } },
    }
    const shown = JSON.stringify(describeConfig(parseConfigText(JSON.stringify({ providers }), 'c.yaml')))
    expect(shown).not.toContain('MARK')
    for (const kept of ['CORP_API_KEY', 'shown', 'vault://NAME', 'other.example'])
      expect(shown).toContain(kept)
  })

  test.each([
    ['nothing', ''],
    ['comments', '# default_preference: valid\n'],
    ['a document mark', '---\n'],
    ['an empty mapping', '{}'],
    ['sections without content', 'cooldown:\nproviders:\nchains:\ngateway:\nreferences:\n'],
  ])('gives the defaults for %s', (_name, text) => {
    expect(parseConfigText(text, 'c.yaml')).toEqual(parseConfigObject({}))
  })

  test('reads lines that end in CRLF', () => {
    const config = parseConfigText('default_preference: type\r\ngateway:\r\n  port: 1\r\n', 'c.yaml')
    expect([config.defaultPreference, config.gateway.port]).toEqual(['type', 1])
  })

  test('follows an alias', () => {
    const text = 'cooldown: { by_provider: { a: &x { rate_limit_seconds: 7 }, b: *x } }'
    expect(parseConfigText(text, 'c.yaml').cooldown.byProvider?.b).toEqual({ rateLimitSeconds: 7 })
  })

  test('names the place of a setting of a custom provider', () => {
    const { providers } = parseConfigText('providers:\n  corp:\n    label: X\n    auth: nonsense\n', 'c.yaml')
    expect(providers.corp?.where('auth')).toBe('c.yaml:4:5: providers.corp.auth')
    expect(providers.corp?.where('base_url')).toBe('c.yaml:2:3: providers.corp.base_url')
    expect(providers.corp?.where()).toBe('c.yaml:2:3: providers.corp')
  })

  test('finds nothing under a name that every object has', () => {
    const config = parseConfigText(
      'chains: { __proto__: [openai] }\nproviders: { constructor: {} }',
      'c.yaml',
    )
    expect(Object.keys(config.chains)).toEqual(['__proto__'])
    expect(config.chains.toString).toBeUndefined()
    expect(Object.keys(config.providers)).toEqual(['constructor'])
    expect(config.providers.valueOf).toBeUndefined()
    expect(parseConfigObject({}).chains.constructor).toBeUndefined()
  })
})

describe('a config that cannot be used', () => {
  test.each([
    ['gateway:\n  port: abc', 'c.yaml:2:9: gateway.port: expected a port from 0 to 65535, not this text'],
    ['gateway: { port: 65536 }', 'c.yaml:1:18: gateway.port: expected a port from 0 to 65535, not 65536'],
    ['gateway: { port: 80.5 }', 'c.yaml:1:18: gateway.port: expected a port from 0 to 65535, not 80.5'],
    ['gateway: { port: }', 'c.yaml:1:18: gateway.port: expected a port from 0 to 65535, not nothing'],
    ['gateway: { port: -1 }', 'c.yaml:1:18: gateway.port: expected a port from 0 to 65535, not -1'],
    [
      'gateway: { host: a b }',
      'c.yaml:1:18: gateway.host: expected a host name or an IP address, not this text',
    ],
    [
      'gateway: { deadline_seconds: 0 }',
      'c.yaml:1:30: gateway.deadline_seconds: expected a number of seconds above 0 and up to 86400, not 0',
    ],
    [
      'cooldown:\n  rate_limit_seconds: -1',
      'c.yaml:2:23: cooldown.rate_limit_seconds: expected a number of seconds from 0 to 36000000, not -1',
    ],
    [
      'cooldown: { rate_limit_seconds: .nan }',
      'c.yaml:1:33: cooldown.rate_limit_seconds: expected a number of seconds from 0 to 36000000, not NaN',
    ],
    [
      'cooldown: { billing_max_hours: .inf }',
      'c.yaml:1:32: cooldown.billing_max_hours: expected a number of hours from 0 to 10000, not Infinity',
    ],
    [
      'cooldown: { billing_max_hours: 10001 }',
      'c.yaml:1:32: cooldown.billing_max_hours: expected a number of hours from 0 to 10000, not 10001',
    ],
    [
      'cooldown: { by_provider: { groq: { billing_max_hours: 1 } } }',
      'c.yaml:1:36: cooldown.by_provider.groq.billing_max_hours: unknown key; rate_limit_seconds and billing_backoff_hours are known here',
    ],
    [
      'cooldown: { rateLimitSeconds: 3 }',
      'c.yaml:1:13: cooldown.rateLimitSeconds: unknown key; rate_limit_seconds, billing_backoff_hours, billing_max_hours, failure_window_hours and by_provider are known here',
    ],
    ['cooldown: [1]', 'c.yaml:1:11: cooldown: expected a mapping, not a list of 1'],
    [
      'default_preference: best',
      'c.yaml:1:21: default_preference: expected default, valid, recent, type, quota, reset or weighted, not this text',
    ],
    ['references: { exec: yes }', 'c.yaml:1:21: references.exec: expected true or false, not this text'],
    [
      'chains: { fast: [] }',
      'c.yaml:1:17: chains.fast: expected a list of 1 to 100 entries, not an empty list',
    ],
    [
      'chains:\n  fast:\n    - openai\n    - "open ai"',
      'c.yaml:4:7: chains.fast[1]: expected `provider` or `provider:model`, not this text',
    ],
    [
      'chains: { fast: ["openai:"] }',
      'c.yaml:1:18: chains.fast[0]: expected `provider` or `provider:model`, not this text',
    ],
    [
      'chains: { Fast: [openai] }',
      'c.yaml:1:11: chains.Fast: expected a chain name of 1 to 64 of a-z 0-9 . _ -, not this text',
    ],
    ['providers: { corp: 1 }', 'c.yaml:1:20: providers.corp: expected a mapping, not 1'],
    [
      'providers: { _corp: {} }',
      'c.yaml:1:14: providers._corp: expected a provider name: 1 to 64 of a-z 0-9 . _ -, a letter or digit first, not this text',
    ],
    [
      'providers: { corp: {}, CORP: {} }',
      'c.yaml:1:24: providers.CORP: "corp" is there twice, in another spelling',
    ],
    ['gateway: { port: 1 }\ngateway: { port: 2 }', 'c.yaml:2:1: gateway: this key is there twice'],
    ['chains: { 1: [a], "1": [b] }', 'c.yaml:1:19: 1: this key is there twice'],
    ['? [a]\n: b', 'c.yaml:1:3: expected a plain text as key'],
    ['- a', 'c.yaml:1:1: expected a mapping, not a list of 1'],
    ['just text', 'c.yaml:1:1: expected a mapping, not this text'],
    ['gateway:\n\tport: 1', 'c.yaml:2:1: expected spaces for indentation, not a tab'],
    ['a: 1\n---\nb: 2', 'c.yaml:2:1: expected one document, not several'],
    ['gateway: !secret { port: 1 }', 'c.yaml:1:10: this tag is not known here'],
    ['gateway: { port: 1', 'c.yaml:1:19: the indentation does not fit, or a bracket before it is not closed'],
    ['gateway: *nothing', 'c.yaml:1:10: this alias has no anchor before it'],
    ['chains: { a: &a [*a] }', 'c.yaml:1:18: this alias contains itself'],
    ['\u0000', 'c.yaml:1:1: expected a mapping, not this text'],
  ])('%j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  test('tells of everything that is wrong, in order', () => {
    const problems = problemsOf('gateway: { port: x, prot: 1 }\nchains: { a: b }\n')
    expect(problems.map((problem) => problem.split(': ', 2).join(': '))).toEqual([
      'c.yaml:1:18: gateway.port',
      'c.yaml:1:21: gateway.prot',
      'c.yaml:2:14: chains.a',
    ])
    expect(() => parseConfigText('gateway: { port: x, prot: 1 }', 'c.yaml')).toThrow(
      /not this text \(and 1 more\)$/,
    )
  })

  test('never repeats a text of the file, which may be a key in the wrong place', () => {
    const secret = 'sk-live-0123456789abcdefghijklmnopqrstuvwxyz'
    for (const text of [
      `gateway: { host: "${secret} x" }`,
      `default_preference: ${secret}`,
      `chains: { a: ${secret} }`,
      `chains: { a: ["${secret} x"] }`,
      `gateway: *${secret}`,
      `gateway: !${secret} x`,
      `gateway: "${secret}`,
      `gateway: [${secret}`,
      `gateway: ${secret}: x: y`,
      `${secret}`,
    ]) {
      const problems = problemsOf(text)
      expect(problems.length).toBeGreaterThan(0)
      expect(problems.join('\n')).not.toContain('sk-live')
    }
  })

  test('a few aliases cannot make much of little', () => {
    const bomb = [
      'providers: { p: { a: &a [x,x,x,x,x,x,x,x,x]',
      ...[...'bcdefghij'].map(
        (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[index]}`).join(',')}]`,
      ),
    ].join(', ')
    expect(problemsOf(`${bomb} } }`)).toEqual(['c.yaml:1:1: this repeats too much by aliases'])
    const many = `providers: { p: { a: &a x, b: [${Array(101).fill('*a').join(',')}] } }`
    expect(problemsOf(many)).toEqual(['c.yaml:1:332: expected at most 100 aliases'])
  })

  test.each([
    ['brackets', '['.repeat(50_000)],
    ['braces', '{a: '.repeat(20_000)],
    ['dashes', '- '.repeat(20_000)],
    ['question marks', '? '.repeat(20_000)],
    ['quotes', '"'.repeat(20_000)],
    ['unknown keys', Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n')],
    ['the same key', 'a:\n'.repeat(20_000)],
  ])('endless %s are refused in reasonable time', (_name, text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0)
    expect(problemsOf(text).length).toBeLessThanOrEqual(20)
  })
})

describe('whatever the text', () => {
  const keys = [
    ...['default_preference', 'cooldown', 'rate_limit_seconds', 'by_provider', 'providers', 'chains', 'fast'],
    ...[
      'gateway',
      'port',
      'host',
      'references',
      'exec',
      '__proto__',
      'constructor',
      '<<',
      '"',
      "'",
      '\t',
      '\r',
    ],
    ...[
      ':',
      ': ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '!!set',
      '!',
      '|',
      '>',
      '#',
      '\n',
      '\n  ',
      ',',
      '?',
      '%',
    ],
    ...['---\n', '...\n', '~', '.nan', '1e999', '0x1', 'true', '\u2028', '\ufeff', '\ud800', '\u0000', '😀'],
  ]
  const yamlish = fc.array(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 4 })), { maxLength: 40 })

  test.each([
    ['made of pieces of YAML', yamlish.map((pieces) => pieces.join(''))],
    ['at all', fc.string({ unit: 'binary', maxLength: 200 })],
    ['of JSON', fc.json()],
  ])('%s, there is a config or a KeymuxError', (_name, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const config = parseConfigText(text, 'f')
          expect(config.gateway.port).toBeGreaterThanOrEqual(0)
          expect(() => JSON.stringify(describeConfig(config))).not.toThrow()
        } catch (error) {
          expect(isKeymuxError(error, 'invalid_config')).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
