import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, KeymuxError, NoUsableProfileError } from '../../domain/errors.js'
import { fileError, reportError } from './errors.js'

const KEY = 'sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH'

describe('an error', () => {
  it('is one line: what, then what to do', () => {
    const report = reportError(
      new KeymuxError('vault_not_found', 'there is no vault at /v', { hint: 'run keymux init' }),
    )
    expect(report).toEqual({
      exitCode: 4,
      line: 'keymux: there is no vault at /v: run keymux init',
      json: '{"error":{"code":"vault_not_found","message":"there is no vault at /v","hint":"run keymux init"}}',
    })
  })

  it('names records and files as keymux calls them, and no key beside them', () => {
    const names = fc.oneof(
      fc.constantFrom('profile', 'secret', 'provider', 'state').map((table) => `the record ${table}/`),
      fc
        .constantFrom('v.db-locks/', 'keymux/pins/', 'keymux/locks/', 'v.db-spill/')
        .map((folder) => `/srv/vaults/${folder}`),
    )
    const hash = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex'))
    const codes = fc.constantFrom('vault_corrupt', 'vault_tampered', 'storage_unavailable', 'storage_busy')
    fc.assert(
      fc.property(codes, names, hash, hash, (code, name, id, other) => {
        const said = `${name}${id} cannot be used`
        const report = reportError(new KeymuxError(code, `${said}, nor ${KEY}`, { hint: `see ${said}` }))
        expect(report.line).toBe(`keymux: ${said}, nor [redacted]: see ${said}`)
        // A hash in any other place, and in an error that may repeat what others said, may be a key.
        fc.pre(/[0-9]/.test(other) && /[a-f]/.test(other))
        expect(reportError(new KeymuxError(code, `it was ${other}`)).line).not.toContain(other)
        expect(
          reportError(new KeymuxError('refresh_failed', `the record secret/${other}`)).line,
        ).not.toContain(other)
      }),
    )
  })

  it('has the exit status of its code', () => {
    for (const [code, exitCode] of Object.entries(ERROR_CODES)) {
      expect(reportError(new KeymuxError(code as keyof typeof ERROR_CODES, 'x')).exitCode).toBe(exitCode)
    }
  })

  it('tells when a profile will be usable, and why none is', () => {
    const error = new NoUsableProfileError(
      'openai',
      {
        attemptedProfiles: ['openai:work', 'openai:home'],
        retryAt: new Date('2026-01-31T12:00:30Z'),
        reasons: [
          {
            profileId: 'openai:work',
            state: 'cooling',
            reason: 'rate_limit',
            until: new Date('2026-01-31T12:00:30Z'),
          },
          { profileId: 'openai:home', state: 'off' },
        ],
      },
      'no profile of openai is usable now',
    )
    const { exitCode, json } = reportError(error)
    expect(exitCode).toBe(5)
    expect(JSON.parse(json)).toEqual({
      error: {
        code: 'no_usable_profile',
        message: 'no profile of openai is usable now',
        provider: 'openai',
        attempted_profiles: ['openai:work', 'openai:home'],
        retry_at: '2026-01-31T12:00:30Z',
        reasons: [
          {
            profile_id: 'openai:work',
            state: 'cooling',
            reason: 'rate_limit',
            until: '2026-01-31T12:00:30Z',
          },
          { profile_id: 'openai:home', state: 'off' },
        ],
      },
    })
  })

  it('repeats no key, however deep in a long message', () => {
    for (const message of [`bad key ${KEY}`, `${'x '.repeat(950)}${KEY}`, `${' '.repeat(1_990)}${KEY}`]) {
      const { line, json } = reportError(new KeymuxError('check_failed', message, { hint: `try ${KEY}` }))
      expect(line + json).not.toContain(KEY.slice(0, 16))
    }
  })

  it('stays short, on one line, and obeys nobody', () => {
    const report = reportError(
      new KeymuxError('check_failed', `a\nb\r\n\u001b[2Jc\u202e${'d'.repeat(100_000)}`),
    )
    expect(report.line).toMatch(/^keymux: a b \\u001b\[2Jc\\u202ed+…$/)
    expect(report.line.length).toBeLessThan(2_100)
  })

  it('is reported whatever was thrown', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const { exitCode, line, json } = reportError(thrown)
        expect(exitCode).toBe(1)
        expect(line).not.toMatch(/\p{Cc}/u)
        expect(JSON.parse(json).error.code).toBe('internal_error')
      }),
    )
    const hostile = {
      toString: () => {
        throw new Error('no')
      },
    }
    expect(reportError(hostile).line).toContain('internal error')
    expect(reportError(Object.create(null)).line).toContain('internal error')
  })
})

describe('a file that cannot be used', () => {
  const failure = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'open' })

  it.each([
    ['ENOENT', 'file_not_found'],
    ['EEXIST', 'file_exists'],
    ['EACCES', 'storage_unavailable'],
    ['EISDIR', 'storage_unavailable'],
  ])('%s', (code, expected) => {
    expect(fileError(failure(code), '/f', 'read')).toMatchObject({ code: expected })
  })

  it('is told apart from other errors', () => {
    const other = new KeymuxError('vault_locked', 'x')
    expect(fileError(other, '/f', 'read')).toBe(other)
    expect(fileError('text', '/f', 'read')).toBe('text')
  })
})
