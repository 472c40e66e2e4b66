// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the files refer to variables

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeymuxError } from '../domain/errors.js'
import { parseDotenv } from './dotenv.js'
import { parseEnvironment, type VariableMeanings } from './env.js'

const MEANINGS: VariableMeanings = new Map([
  ['OPENAI_API_KEY', { provider: 'openai', mode: 'api_key' }],
  ['ANTHROPIC_API_KEY', { provider: 'anthropic', mode: 'api_key' }],
  ['ANTHROPIC_AUTH_TOKEN', { provider: 'anthropic', mode: 'token' }],
  ['GROQ_API_KEY', { provider: 'groq', mode: 'api_key' }],
  ['GOOGLE_API_KEY', { provider: 'gemini', mode: 'api_key' }],
  ['GEMINI_API_KEY', { provider: 'gemini', mode: 'api_key' }],
])

/** The value that one text gives OPENAI_API_KEY. */
function value(text: string): string | undefined {
  return parseDotenv(text, MEANINGS).drafts[0]?.secret
}

function secrets(text: string): Record<string, string | undefined> {
  const { drafts } = parseDotenv(text, MEANINGS)
  return Object.fromEntries(drafts.map(({ provider, name, secret }) => [`${provider}:${name}`, secret]))
}

describe('parseDotenv', () => {
  it('reads the sample', () => {
    const file = readFileSync(new URL('../../test/vectors/imports/dotenv/.env', import.meta.url))
    expect(parseDotenv(file, MEANINGS)).toEqual({
      drafts: [
        {
          provider: 'openai',
          name: 'default',
          mode: 'api_key',
          secret: 'sk-dotenv-1',
          source: 'dotenv',
        },
        {
          provider: 'anthropic',
          name: 'default',
          mode: 'api_key',
          secret: 'sk-ant-dotenv-1',
          source: 'dotenv',
        },
        { provider: 'groq', name: 'default', mode: 'api_key', secret: 'gsk_dotenv', source: 'dotenv' },
        { provider: 'gemini', name: 'default', mode: 'api_key', secret: 'gem-dotenv', source: 'dotenv' },
      ],
      skipped: [],
      failed: [],
    })
  })

  it.each([
    ['bare', 'OPENAI_API_KEY=sk-1', 'sk-1'],
    ['blanks around', '  OPENAI_API_KEY = sk-1  ', 'sk-1'],
    ['export', 'export\tOPENAI_API_KEY=sk-1', 'sk-1'],
    ['= inside', 'OPENAI_API_KEY=a=b==', 'a=b=='],
    ['comment', 'OPENAI_API_KEY=sk-1 # mine', 'sk-1'],
    ['# inside', 'OPENAI_API_KEY=sk#1\t#x', 'sk#1'],
    ['single quotes are literal', "OPENAI_API_KEY='a\\n\"${X}#' # c", 'a\\n"${X}#'],
    ['double quotes', 'OPENAI_API_KEY="a \\"b\\" \\\\ \\n \\t \\r \\$x \\q"', 'a "b" \\ \n \t \r $x \\q'],
    ['# in quotes', 'OPENAI_API_KEY="a # b"#c', 'a # b'],
    ['several lines', 'OPENAI_API_KEY="one\ntwo\n" # end\nGROQ_API_KEY=g', 'one\ntwo\n'],
    ['CRLF', 'X=1\r\nOPENAI_API_KEY=sk-1\r\n', 'sk-1'],
    ['CR alone', 'X=1\rOPENAI_API_KEY=sk-1\r', 'sk-1'],
    ['byte order mark', '\ufeffOPENAI_API_KEY=sk-1', 'sk-1'],
    ['last wins', 'OPENAI_API_KEY=a\nOPENAI_API_KEY=b', 'b'],
    ['escaped dollar and brace', 'OPENAI_API_KEY="\\${A}"', '${A}'],
    ['dollar inside', 'OPENAI_API_KEY=pa$$word', 'pa$$word'],
    ['unicode', 'OPENAI_API_KEY=ключ🔑', 'ключ🔑'],
    ['colon is no assignment', 'OPENAI_API_KEY: sk-1', undefined],
    ['commented out', '#OPENAI_API_KEY=sk-1', undefined],
    ['lower case is another name', 'openai_api_key=sk-1', undefined],
  ])('%s', (_what, text, expected) => {
    expect(value(text)).toBe(expected)
  })

  it.each([
    '${OTHER}',
    'x${OTHER}y',
    '"x${OTHER}"',
    '$OTHER',
    '"$OTHER"',
    '$(pass show openai)',
    '"$(cat f)"',
    '`pass show openai`',
  ])('leaves %s alone', (text) => {
    expect(parseDotenv(`OPENAI_API_KEY=${text}\nGROQ_API_KEY=g`, MEANINGS)).toMatchObject({
      drafts: [{ provider: 'groq' }],
      skipped: [{ id: 'OPENAI_API_KEY', reason: 'its value refers to another variable or a command' }],
      failed: [],
    })
  })

  it('skips what is empty', () => {
    const { drafts, skipped } = parseDotenv('OPENAI_API_KEY=\nGROQ_API_KEY="" # x', MEANINGS)
    expect(drafts).toEqual([])
    expect(skipped.map(({ id }) => id)).toEqual(['OPENAI_API_KEY', 'GROQ_API_KEY'])
  })

  it('says on which line a value is broken, and reads on with the next', () => {
    const text =
      '# x\nM="a\nb"\nOPENAI_API_KEY="sk-1\nGROQ_API_KEY=g\nGEMINI_API_KEY=\'x\'y\nANTHROPIC_API_KEY=a'
    const { drafts, failed } = parseDotenv(text, MEANINGS)
    expect(drafts.map(({ provider }) => provider)).toEqual(['anthropic', 'groq'])
    expect(failed).toEqual([
      { id: 'OPENAI_API_KEY', reason: 'line 4: the quote is not closed' },
      { id: 'GEMINI_API_KEY', reason: 'line 6: there is text after the closing quote' },
    ])
  })

  it('gives a second credential of a provider the name of its variable', () => {
    expect(
      secrets('GEMINI_API_KEY=b\nGOOGLE_API_KEY=a\nANTHROPIC_AUTH_TOKEN=t\nANTHROPIC_API_KEY=k'),
    ).toEqual({
      'anthropic:default': 'k',
      'anthropic:ANTHROPIC_AUTH_TOKEN': 't',
      'gemini:default': 'a',
      'gemini:GEMINI_API_KEY': 'b',
    })
  })

  it('takes the same key under two names once', () => {
    const { drafts, skipped } = parseDotenv('GEMINI_API_KEY=a\nGOOGLE_API_KEY=a', MEANINGS)
    expect(drafts).toHaveLength(1)
    expect(skipped).toEqual([
      { id: 'GEMINI_API_KEY', reason: 'it holds the same credential as gemini:default' },
    ])
  })

  it('takes the profile name that it is given', () => {
    expect(parseDotenv('OPENAI_API_KEY=a', MEANINGS, 'work').drafts[0]?.name).toBe('work')
    expect(() => parseDotenv('OPENAI_API_KEY=a', MEANINGS, 'a:b')).toThrow(
      expect.objectContaining({ code: 'invalid_profile_id' }),
    )
  })

  it('refuses what is no text', () => {
    expect(() => parseDotenv(Buffer.from([0x41, 0xff, 0xfe]), MEANINGS)).toThrow(
      expect.objectContaining({ code: 'invalid_import', message: 'this is not a text file' }),
    )
  })

  it('reads back any value that is written in double quotes', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((one) => !/\r/.test(one))
    fc.assert(
      fc.property(text, fc.string(), (secret, before) => {
        const escaped = secret.replace(/["\\$`]/g, '\\$&')
        const noise = before.replace(/["'`=]/g, '')
        expect(value(`${noise}\nOPENAI_API_KEY="${escaped}"\n`)).toBe(secret)
      }),
    )
  })

  it('throws nothing but a KeymuxError, whatever it is given', () => {
    const piece = fc.constantFrom(
      'OPENAI_API_KEY',
      'export ',
      '=',
      '"',
      "'",
      '`',
      '\\',
      '\n',
      '\r',
      ' #',
      '$',
      '{',
    )
    const text = fc.array(fc.oneof(piece, fc.string({ unit: 'binary' }))).map((parts) => parts.join(''))
    const bytes = fc.uint8Array()
    fc.assert(
      fc.property(fc.oneof(text, bytes), (contents) => {
        try {
          const { drafts } = parseDotenv(contents, MEANINGS)
          for (const { secret } of drafts) expect(secret).not.toBe('')
        } catch (error) {
          expect(error).toBeInstanceOf(KeymuxError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['open double quotes', 'OPENAI_API_KEY="x\\"\n'],
    ['open single quotes', "OPENAI_API_KEY='\n"],
    ['quotes and text after', 'A="b"c\n'],
    ['hashes', 'OPENAI_API_KEY=#'],
    ['dollars and braces', '${'],
    ['blanks', ' \t'],
    ['exports', 'export '],
  ])('reads 10 MB of %s in linear time', (_what, piece) => {
    const text = piece.repeat(Math.ceil(10_000_000 / piece.length))
    const started = process.cpuUsage()
    parseDotenv(text, MEANINGS)
    parseDotenv(`OPENAI_API_KEY="${text}`, MEANINGS)
    parseDotenv(`OPENAI_API_KEY=${text}`, MEANINGS)
    // A quadratic reading would take hours.
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(20)
  })
})

describe('parseEnvironment', () => {
  it('takes the variables that mean something, without blanks around them', () => {
    const env = { OPENAI_API_KEY: ' sk-1\r\n', GROQ_API_KEY: '', PATH: '/bin', ANTHROPIC_AUTH_TOKEN: '${x}' }
    expect(parseEnvironment(env, MEANINGS, 'work')).toEqual({
      drafts: [
        { provider: 'openai', name: 'work', mode: 'api_key', secret: 'sk-1', source: 'env' },
        { provider: 'anthropic', name: 'work', mode: 'token', secret: '${x}', source: 'env' },
      ],
      skipped: [{ id: 'GROQ_API_KEY', reason: 'it is empty' }],
      failed: [],
    })
  })

  it('ignores what an object inherits', () => {
    const meanings: VariableMeanings = new Map([
      ['constructor', { provider: 'x', mode: 'api_key' }],
      ['__proto__', { provider: 'y', mode: 'api_key' }],
    ])
    expect(parseEnvironment({}, meanings).drafts).toEqual([])
  })
})
