// Makes the golden vault with the built program, in a folder: node test/golden/make.mjs FOLDER
// The files beside this one were made once and stay for ever: never write over them.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url))
const target = process.argv[2]
if (target === undefined) throw new Error('usage: node test/golden/make.mjs FOLDER')

const home = mkdtempSync(path.join(os.tmpdir(), 'keymux-golden-'))
const vault = path.join(home, 'vault.db')
const keyFile = path.join(home, 'vault.key')
const state = path.join(home, 'state')
// No config and no variable of whoever runs this.
const env = {
  PATH: process.env.PATH,
  HOME: home,
  XDG_STATE_HOME: state,
  XDG_CONFIG_HOME: path.join(home, 'config'),
  KEYMUX_VAULT: vault,
  KEYMUX_KEY_FILE: keyFile,
  KEYMUX_NEW_PASSPHRASE: 'Grüße aus dem Süden',
}

const ISSUED = '2026-01-02T03:04:05Z'
const DECLARATION = {
  name: 'corp',
  label: 'Corp é',
  base_url: 'https://corp.example/v1',
  modes: ['api_key', 'token', 'oauth'],
  env_key: 'CORP_API_KEY',
  // Nobody listens on port 9, so that a renewal fails.
  oauth: {
    client_id: 'corp-client',
    authorization_endpoint: 'http://127.0.0.1:9/authorize',
    token_endpoint: 'http://127.0.0.1:9/token',
  },
}
const login = (name, clientId, rest) => ({
  id: `corp:${name}`,
  provider: 'corp',
  name,
  mode: 'oauth',
  enabled: true,
  created_at: ISSUED,
  updated_at: ISSUED,
  oauth: {
    provider: 'corp',
    profile_name: name,
    access_token: `invented-access-${name}`,
    refresh_token: `invented-refresh-${name}`,
    expires_at: '2031-01-02T03:04:05Z',
    client_id: clientId,
    ...rest,
  },
})
const LOGINS = {
  format: 'keymux-export',
  version: 1,
  exported_at: ISSUED,
  profiles: [
    login('ada@example.com', 'corp-client', {
      email: 'ada@example.com',
      scopes: ['openid', 'email'],
      metadata: { project_id: 'invented-project', ключ: 'значение' },
    }),
    login('second', 'corp-client', { scopes: ['openid'] }),
    login('left', 'another-client', { client_secret_ref: 'env://CORP_CLIENT_SECRET' }),
  ],
  secrets: [],
  providers: [],
}

try {
  make()
} finally {
  rmSync(home, { recursive: true, force: true })
}

function make() {
  keymux(['init', '--key-file', keyFile])
  keymux(['vault', 'add-slot', '--passphrase', '--label', 'Süden'])
  keymux(['vault', 'add-slot', '--key-file', path.join(home, 'leaving.key'), '--label', 'leaving'])
  keymux(['providers', 'add', file('corp.json', DECLARATION)])

  keymux(['secret', 'set', 'referred', '--stdin'], 'invented-referred-key')
  keymux(['secret', 'set', 'gone', '--stdin'], 'invented-gone')
  keymux(['secret', 'set', 'unicode ключ 🔑', '--stdin'], 'välue ✓\nof two lines')

  const account = ['--account', 'org-invented']
  keymux(['add', 'openai:work', '--stdin', '--priority', '10', ...account], 'sk-invented-work')
  keymux(['add', 'openai:home', '--stdin', '--priority', '-5', ...account], 'sk-invented-home')
  keymux(['add', 'openai:models', '--stdin', '--models', 'gpt-4*,o*'], 'sk-invented-models')
  keymux(['add', 'groq', '--ref', 'vault://referred'])
  keymux(['add', 'groq:вторая', '--stdin'], 'gsk_invented_unicode')
  keymux(['add', 'anthropic:ci', '--mode', 'token', '--stdin', '--expires-at', '2031-01-02T03:04:05Z'], 'tok')
  keymux(['add', 'mistral:gone', '--stdin'], 'invented-gone')
  keymux(['add', 'mistral:off', '--stdin', '--base-url', 'https://eu.mistral.example/v1'], 'invented-off')
  keymux(['add', 'mistral:twice', '--stdin'], 'invented-first')
  keymux(['import', 'json', file('logins.json', LOGINS), '--take-over', '--trust-endpoints'])

  keymux(['report', 'success', 'openai:work'])
  keymux(['report', 'failure', 'openai:work', '--status', '429', '--retry-after', '20'])
  keymux(['report', 'failure', 'openai:models', '--reason', 'model_not_found', '--model', 'gpt-4x'])
  keymux(['report', 'failure', 'mistral:gone', '--reason', 'overloaded'])
  keymux(['report', 'failure', 'anthropic:ci', '--reason', 'billing', '--message', 'no credit ✗'])
  keymux(['refresh', 'corp:second'], undefined, [1, 5])
  keymux(['report', 'failure', 'groq:вторая', '--reason', 'auth'])
  keymux(['logout', 'corp:left'])
  keymux(['resolve', 'groq'])
  keymux(['secret', 'get', 'referred'])
  keymux(['remove', 'mistral:gone', '--yes'])

  keymux(['vault', 'rotate'])

  keymux(['secret', 'set', 'long', '--stdin'], 'ü'.repeat(700))
  keymux(['secret', 'remove', 'gone', '--yes'])
  keymux(['disable', 'mistral:off'])
  keymux(['rename', 'openai:home', 'kept'])
  keymux(['report', 'failure', 'openai:kept', '--reason', 'server_error'])
  keymux(['report', 'success', 'groq:вторая', '--model', 'llama'])
  keymux(['add', 'mistral:twice', '--stdin', '--replace'], 'invented-second')
  keymux(['reset', 'openai:models'])
  keymux(['show', 'openai:work', '--reveal'])

  // Its rotation marks the binding keys of those who stay; the owner of the key file makes a new one at once.
  const { slots } = JSON.parse(keymux(['vault', 'slots', '--json']))
  const leaving = slots.find(({ label }) => label === 'leaving')
  keymux(['vault', 'remove-slot', leaving.id, '--yes'])

  keymux(['secret', 'set', 'latest', '--stdin'], 'invented-latest')
  keymux(['report', 'failure', 'groq:вторая', '--reason', 'timeout'])
  keymux(['vault', 'check'])

  mkdirSync(target, { recursive: true })
  const wal = statSync(`${vault}-wal`, { throwIfNoEntry: false })
  if (wal !== undefined && wal.size > 0) throw new Error('the WAL is not merged')
  copyFileSync(vault, path.join(target, 'vault.db'))
  copyFileSync(keyFile, path.join(target, 'vault.key'))
  const pins = path.join(state, 'keymux', 'pins')
  copyFileSync(path.join(pins, readdirSync(pins)[0]), path.join(target, 'pin'))
}

function file(name, contents) {
  const at = path.join(home, name)
  writeFileSync(at, JSON.stringify(contents), { mode: 0o600 })
  return at
}

function keymux(args, input = undefined, allowed = [0]) {
  const run = spawnSync(process.execPath, [CLI, ...args], { env, input: input ?? '', encoding: 'utf8' })
  process.stdout.write(`keymux ${args.join(' ')}: ${run.status}\n`)
  if (!allowed.includes(run.status)) throw new Error(`${run.stdout}${run.stderr}`)
  if (run.status !== 0) process.stdout.write(run.stderr)
  return run.stdout
}
