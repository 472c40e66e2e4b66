import { describe, expect, it } from 'vitest'
import { type FakeWorld, runCli } from '../../../test/transcripts/fake-host.js'
import { KeymuxError } from '../../domain/errors.js'
import type { Keymux } from '../../domain/keymux.js'
import type { Unlock } from '../../domain/vault.js'
import type { OpenRequest } from './services.js'
import type { CommandEntry } from './spec.js'

const open: CommandEntry = {
  name: 'open',
  summary: 'open the vault',
  load: async () => ({
    examples: [],
    async run(context) {
      const [one, other] = await Promise.all([context.open(), context.open()])
      context.output.text(one === other ? 'opened once' : 'opened twice')
      return undefined
    },
  }),
}

/** A vault with these slots, opened by this passphrase or key file. */
function vault(slots: readonly string[], key: string) {
  const log: { requests: OpenRequest[]; unlocks: Unlock[]; closed: number } = {
    requests: [],
    unlocks: [],
    closed: 0,
  }
  const openVault = async (request: OpenRequest): Promise<Keymux> => {
    log.requests.push(request)
    const unlock = await request.unlock(slots)
    log.unlocks.push(unlock)
    const given = 'passphrase' in unlock ? unlock.passphrase : 'keyFile' in unlock ? unlock.keyFile : ''
    if (Buffer.from(given).toString() !== key) throw new KeymuxError('wrong_passphrase', 'wrong passphrase')
    const close = async (): Promise<void> => {
      log.closed += 1
    }
    return { close } as Keymux
  }
  return { log, services: { openVault } }
}

const cli = (world: FakeWorld, ...argv: string[]) => runCli(['open', ...argv], { commands: [open], ...world })

describe('unlocking', () => {
  it('opens once and closes what it opened', async () => {
    const { log, services } = vault(['passphrase'], 'correct horse')
    const { code, stdout } = await cli({ services, env: { KEYMUX_PASSPHRASE: 'correct horse' } })
    expect({ code, stdout, closed: log.closed, opened: log.requests.length }).toEqual({
      code: 0,
      stdout: 'opened once\n',
      closed: 1,
      opened: 1,
    })
  })

  it('takes the first way that applies: the environment, a key file, the prompt', async () => {
    const both = ['passphrase', 'key_file']
    const env = { KEYMUX_PASSPHRASE: 'p', KEYMUX_KEY_FILE: '/k' }
    const ways: [readonly string[], FakeWorld['env'], FakeWorld['answers'], Unlock][] = [
      [both, env, ['typed'], { passphrase: 'p' }],
      [['key_file'], env, ['typed'], { keyFile: '/k' }],
      [both, { KEYMUX_KEY_FILE: '/k' }, ['typed'], { keyFile: '/k' }],
      [['passphrase'], { KEYMUX_KEY_FILE: '/k' }, ['typed'], { passphrase: 'typed' }],
      [both, { KEYMUX_KEY_FILE: '' }, ['typed'], { passphrase: 'typed' }],
    ]
    for (const [slots, variables, answers, expected] of ways) {
      const key = 'passphrase' in expected ? String(expected.passphrase) : '/k'
      const { log, services } = vault(slots, key)
      await cli({ services, env: variables ?? {}, ...(answers && { answers }) })
      expect(log.unlocks).toEqual([expected])
    }
  })

  it('reads a descriptor after the environment and before everything else', async () => {
    const { log, services } = vault(['passphrase'], 'p')
    const bad = ['--passphrase-fd', '9999']
    expect(await cli({ services, answers: ['p'] }, ...bad)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('file descriptor 9999: it is not open'),
    })
    expect((await cli({ services, env: { KEYMUX_PASSPHRASE: 'p' } }, ...bad)).code).toBe(0)
    expect(log.unlocks).toEqual([{ passphrase: 'p' }])
    expect(await cli({ services }, '--passphrase-fd', 'x')).toMatchObject({ code: 2 })
    expect(await cli({ services }, '--passphrase-fd', '-1')).toMatchObject({ code: 2 })
  })

  it('lets a passphrase be mistyped at the prompt, not in the environment', async () => {
    const typed = vault(['passphrase'], 'right')
    const lucky = await cli({ services: typed.services, answers: ['wrong', 'wronger', 'right'] })
    expect(lucky.code).toBe(0)
    expect(lucky.asked).toEqual([
      'Passphrase for /home/ada/.local/share/keymux/vault.db: ',
      'Wrong passphrase. Passphrase for /home/ada/.local/share/keymux/vault.db: ',
      'Wrong passphrase. Passphrase for /home/ada/.local/share/keymux/vault.db: ',
    ])
    const { services } = vault(['passphrase'], 'right')
    expect(await cli({ services, answers: ['1', '2', '3', 'right'] })).toMatchObject({
      code: 3,
      stderr: 'keymux: wrong passphrase\n',
    })
    const set = vault(['passphrase'], 'right')
    expect(
      (await cli({ services: set.services, env: { KEYMUX_PASSPHRASE: 'wrong' }, answers: ['right'] })).code,
    ).toBe(3)
    expect(set.log.requests).toHaveLength(1)
  })

  it('refuses an empty KEYMUX_PASSPHRASE, whatever the slots', async () => {
    for (const slots of [['passphrase'], ['key_file']]) {
      const { services } = vault(slots, 'x')
      expect(await cli({ services, env: { KEYMUX_PASSPHRASE: '', KEYMUX_KEY_FILE: '/k' } })).toMatchObject({
        code: 2,
        stderr: 'keymux: KEYMUX_PASSPHRASE is empty: unset it, or give a passphrase\n',
      })
    }
  })

  it.each<[readonly string[], string]>([
    [['passphrase'], 'set KEYMUX_PASSPHRASE, or use --passphrase-fd N, or run it in a terminal'],
    [['key_file'], 'set KEYMUX_KEY_FILE'],
    [
      ['passphrase', 'key_file'],
      'set KEYMUX_PASSPHRASE, or use --passphrase-fd N, or set KEYMUX_KEY_FILE, or run it in a terminal',
    ],
    [['keychain'], 'it opens with keychain alone'],
  ])('lists the ways that %j leave when none applies', async (slots, ways) => {
    const { services } = vault(slots, 'x')
    expect(await cli({ services })).toMatchObject({
      code: 3,
      stderr: `keymux: the vault is locked: ${ways}\n`,
    })
    const json = await cli({ services }, '--json')
    expect(JSON.parse(json.stderr)).toEqual({
      error: { code: 'vault_locked', message: 'the vault is locked', hint: ways },
    })
  })

  it('shows where a database is, not how to log in there', async () => {
    const { services } = vault(['passphrase'], 'right')
    const { asked } = await cli(
      { services, answers: ['right'] },
      '--vault',
      'postgres://ada:hunter2@db.example/keys?password=x',
    )
    expect(asked).toEqual(['Passphrase for postgres://db.example/keys: '])
  })

  it('requires a config file only where somebody named it', async () => {
    const { log, services } = vault(['passphrase'], 'p')
    const env = { KEYMUX_PASSPHRASE: 'p' }
    await cli({ services, env })
    await cli({ services, env: { ...env, KEYMUX_CONFIG: '/c.yaml' } })
    await cli({ services, env }, '--config', 'd.yaml')
    expect(log.requests.map(({ config, configRequired }) => [config, configRequired])).toEqual([
      ['/home/ada/.config/keymux/config.yaml', false],
      ['/c.yaml', true],
      ['/work/d.yaml', true],
    ])
  })
})
