import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { plainScreen } from './harness.js'
import { failure, type Home, makeHomes } from './home.js'

const homes = makeHomes()
afterAll(() => homes.dispose())
let home: Home
beforeEach(() => {
  home = homes.make()
})

/** No key file is in the environment. */
const bare = { env: { KEYMUX_KEY_FILE: undefined } }
const withPassphrase = (passphrase: string) => ({
  env: { KEYMUX_KEY_FILE: undefined, KEYMUX_PASSPHRASE: passphrase },
})
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)
const untouched = (): void => expect(readdirSync(home.folder)).toEqual([])

describe('init', () => {
  test('with KEYMUX_PASSPHRASE says where the vault is, what opens it and what comes next', async () => {
    const { code, stdout, stderr } = await home.run(['init'], withPassphrase('correct horse'))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(home.vault)
    expect(stdout).toContain('your passphrase')
    expect(stdout).toContain('keymux add openai:work')
    expect(mode(home.vault)).toBe('600')
    expect(mode(home.at('.local/share/keymux'))).toBe('700')
    expect((await home.run(['list'], withPassphrase('correct horse'))).code).toBe(0)
    expect((await home.run(['list'], withPassphrase('wrong horse'))).code).toBe(3)
  })

  test('with --json gives the vault, its id and its slot', async () => {
    expect(await home.json(['init'], withPassphrase('correct horse'))).toEqual({
      vault: home.vault,
      vault_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      slot: { id: expect.stringMatching(/^[0-9a-f]{16}$/), type: 'passphrase' },
    })
  })

  test('takes the passphrase from a file descriptor', async () => {
    const { env } = bare
    expect((await home.run(['init', '--passphrase-fd', '3'], { env, fd3: 'from a pipe\n' })).code).toBe(0)
    expect((await home.run(['list'], withPassphrase('from a pipe'))).code).toBe(0)
  })

  test('makes a key file that is absent, folder included, for its owner alone', async () => {
    const key = home.at('keys', 'vault.key')
    const { stdout } = await home.run(['init', '--key-file', 'keys/vault.key'], bare)
    expect(stdout).toContain(`export KEYMUX_KEY_FILE=${key}`)
    expect([mode(key), mode(home.at('keys'))]).toEqual(['600', '700'])
    expect((await home.run(['list'], { env: { KEYMUX_KEY_FILE: key } })).code).toBe(0)
  })

  test('uses a key file that is there', async () => {
    await home.run(['init', '--vault', 'other.db'])
    const before = readFileSync(home.keyFile)
    expect(await home.json(['init'])).toMatchObject({ slot: { type: 'key_file' }, key_file: home.keyFile })
    expect(readFileSync(home.keyFile)).toEqual(before)
    expect((await home.run(['list'])).code).toBe(0)
  })

  test('a passphrase goes before a key file in the environment, and --key-file before both', async () => {
    const env = { KEYMUX_PASSPHRASE: 'p' }
    expect(await home.json(['init', '--vault', 'a.db'], { env })).toMatchObject({
      slot: { type: 'passphrase' },
    })
    expect(existsSync(home.keyFile)).toBe(false)
    expect(await home.json(['init', '--vault', 'b.db', '--key-file', 'k'], { env })).toMatchObject({
      key_file: home.at('k'),
    })
  })
})

describe('a second init', () => {
  test('is a conflict, told before a passphrase is asked for, and makes no key file', async () => {
    await home.run(['init'])
    const before = readFileSync(home.vault)
    expect(await home.run(['init', '--key-file', 'new.key'])).toEqual(
      failure(7, expect.stringMatching(/^keymux: there is a vault at .* already: .*--vault\n$/)),
    )
    const session = home.terminal(['init', '--passphrase'], bare)
    expect(await session.ended).toMatchObject({ code: 7, screen: expect.not.stringContaining('Passphrase') })
    expect(existsSync(home.at('new.key'))).toBe(false)
    expect(readFileSync(home.vault)).toEqual(before)
    const { stderr } = await home.run(['init', '--json'])
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'vault_exists' } })
  })

  test('leaves alone a file that is no vault', async () => {
    writeFileSync(home.at('notes.txt'), 'important')
    chmodSync(home.at('notes.txt'), 0o600)
    expect(await home.run(['init', '--vault', 'notes.txt'])).toMatchObject({ code: 7, stdout: '' })
    expect(readFileSync(home.at('notes.txt'), 'utf8')).toBe('important')
    expect(existsSync(home.keyFile)).toBe(false)
  })
})

describe('init that cannot be', () => {
  test('nothing to lock it with and no terminal: exit 3 with the ways, and nothing is made', async () => {
    const { code, stdout, stderr } = await home.run(['init'], bare)
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    for (const way of ['KEYMUX_PASSPHRASE', '--passphrase-fd', '--key-file', 'terminal']) {
      expect(stderr).toContain(way)
    }
    untouched()
  })

  test.each([
    ['an empty KEYMUX_PASSPHRASE', ['init'], { KEYMUX_PASSPHRASE: '' }, 2],
    ['a keychain', ['init', '--keychain'], { KEYMUX_PASSPHRASE: 'p' }, 3],
    ['two ways', ['init', '--passphrase', '--key-file', 'k'], { KEYMUX_PASSPHRASE: 'p' }, 2],
    ['--key-file without its value', ['init', '--key-file', '--json'], {}, 2],
    ['an empty --key-file', ['init', '--key-file', ''], {}, 2],
    ['a descriptor that is not open', ['init', '--passphrase-fd', '57'], {}, 2],
  ])('%s', async (_what, args, env, code) => {
    expect(await home.run(args, { env: { KEYMUX_KEY_FILE: undefined, ...env } })).toMatchObject({
      code,
      stdout: '',
    })
    untouched()
  })

  test('a key file that is none, or that others can read', async () => {
    writeFileSync(home.at('noise'), 'noise', { mode: 0o600 })
    expect(await home.run(['init', '--key-file', 'noise'], bare)).toMatchObject({ code: 3 })
    await home.run(['init', '--vault', 'other.db'])
    chmodSync(home.keyFile, 0o644)
    expect(await home.run(['init'])).toEqual(failure(8, expect.stringContaining(`chmod 600 ${home.keyFile}`)))
    expect(existsSync(home.vault)).toBe(false)
  })

  test('a place where no vault can be: no key file is left behind', async () => {
    writeFileSync(home.at('file'), '')
    expect((await home.run(['init', '--vault', 'file/vault.db', '--key-file', 'k'])).code).toBe(8)
    expect(existsSync(home.at('k'))).toBe(false)
  })
})

describe('init on a terminal', () => {
  test('asks twice without showing, until both are the same', async () => {
    const session = home.terminal(['init'], bare)
    for (const [question, answer] of [
      ['Passphrase for the new vault', 'correct horse'],
      ['The same again: ', 'correct house'],
      ['They differ', 'correct horse'],
      ['The same again: ', 'correct horse'],
    ] as const) {
      await session.waitFor(question)
      if (question === 'They differ') await session.waitFor('Passphrase for the new vault')
      session.type(`${answer}\r`)
    }
    const { code, screen } = await session.ended
    expect(code).toBe(0)
    expect(plainScreen(screen)).toContain('✓ The vault is ready.')
    expect(screen).not.toContain('horse')
    expect((await home.run(['list'], withPassphrase('correct horse'))).code).toBe(0)
  })

  test('given up leaves nothing behind', async () => {
    const session = home.terminal(['init'], bare)
    await session.waitFor('Passphrase')
    session.type('\u0003')
    expect((await session.ended).code).toBe(130)
    untouched()
  })
})
