import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { composeKeymux } from '../../src/compose.js'
import type { ComposeOptions } from '../../src/compose-options.js'
import type { Keymux } from '../../src/domain/keymux.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import { type FakeWorld, type Outcome, runCli } from '../transcripts/fake-host.js'

/** What whoever sends something from outside would like to learn, by the kind of reference that leads there. */
export const PLANTED = {
  file: 'PLANTED-in-a-file',
  env: 'PLANTED-in-a-variable',
  vault: 'PLANTED-in-the-vault',
  bare: 'PLANTED-in-the-vault',
  exec: 'PLANTED-by-a-command',
} as const

export type Kind = keyof typeof PLANTED

/** Every kind of reference. */
export const KINDS = Object.keys(PLANTED) as readonly Kind[]

/** A vault with something planted wherever a reference can lead, and a provider whose servers listen. */
export interface OutsideWorld {
  readonly keymux: Keymux
  /** The base URL of the provider `corp`; its token endpoint and others are below the same origin. */
  readonly origin: string
  /** A reference of each kind to what is planted. */
  readonly references: Readonly<Record<Kind, string>>
  /** Everything that any of the servers was sent since the last call: lines, headers and bodies. */
  sent(): string
  /** Runs a command line on the same vault. */
  run(argv: readonly string[], world?: Pick<FakeWorld, 'stdin' | 'env'>): Promise<Outcome>
  /** Writes a file for a command line and gives its path. */
  file(name: string, contents: string): string
  close(): Promise<void>
}

export async function openOutsideWorld(options: Pick<ComposeOptions, 'tools'> = {}): Promise<OutsideWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'keymux-outside-'))
  let received: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = decodeURIComponent(Buffer.concat(chunks).toString().replaceAll('+', ' '))
    received.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)} ${body}`)
    const token = { access_token: `at-${received.length}`, refresh_token: 'rt', expires_in: 3_600 }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(request.url === '/token' ? token : {}))
  })
  const origin = await listening(server)
  const file = (name: string, contents: string): string => {
    const path = join(folder, name)
    writeFileSync(path, contents)
    chmodSync(path, 0o600)
    return path
  }
  const config = {
    providers: { corp: corpAt(origin) },
    references: { exec: true },
    gateway: { port: 0 },
  }
  const memory = createMemoryStore()
  const keyFile = join(folder, 'key')
  const env = {
    PLANTED: PLANTED.env,
    KEYMUX_KEY_FILE: keyFile,
    KEYMUX_EXPORT_PASSPHRASE: SEALED_WITH,
    DEVCLAW_VAULT_PASSWORD: SEALED_WITH,
  }
  const open = (unlock: ComposeOptions['unlock']): Promise<Keymux> =>
    composeKeymux({ vault: memory.connect(), unlock, create: true, config, env, ...options })
  const keymux = await open({ keyFile })
  await keymux.vault.set('PLANTED', PLANTED.vault)
  return {
    keymux,
    origin,
    references: {
      file: `file://${file('planted', PLANTED.file)}`,
      env: 'env://PLANTED',
      vault: 'vault://PLANTED',
      bare: 'PLANTED',
      exec: `exec://${process.execPath} -p "'PLANTED-by-'+'a-command'"`,
    },
    sent() {
      const all = received.join('\n')
      received = []
      return all
    },
    run: (argv, more = {}) =>
      runCli(argv, {
        ...more,
        env: { ...env, ...more.env },
        services: { openVault: ({ unlock }) => open(unlock) },
      }),
    file,
    async close() {
      await keymux.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What opens the sealed files of these tests. */
export const SEALED_WITH = 'the passphrase of a sealed file'

/** The declaration of a provider that lives there. */
export function corpAt(origin: string, oauth: object = {}): Record<string, unknown> {
  return {
    base_url: `${origin}/v1`,
    modes: ['api_key', 'token', 'oauth'],
    oauth: {
      client_id: 'corp-client',
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      ...oauth,
    },
  }
}

/** A login that has run out and is renewed with its first use. */
export const SPENT_LOGIN = {
  access_token: 'old',
  refresh_token: 'rt',
  expires_at: '2020-01-01T00:00:00Z',
  client_id: 'corp-client',
}

/** A profile in the stored format. */
export function storedProfile(id: string, mode: string, more: object): Record<string, unknown> {
  const [provider, name] = id.split(':')
  const time = '2026-01-01T00:00:00Z'
  return { id, provider, name, mode, enabled: true, created_at: time, updated_at: time, ...more }
}

/** An export of keymux, as anybody can write one. */
export function exportOf(contents: {
  readonly profiles?: readonly object[]
  readonly secrets?: readonly object[]
  readonly providers?: readonly object[]
}): string {
  const head = { format: 'keymux-export', version: 1, exported_at: '2026-01-01T00:00:00Z' }
  return JSON.stringify({ ...head, profiles: [], secrets: [], providers: [], ...contents })
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
