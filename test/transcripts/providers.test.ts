import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { readProviderFile } from '../../src/surfaces/cli/provider-file.js'
import { type CliVault, makeCliVault } from '../support/cli-vault.js'

const folder = mkdtempSync(join(tmpdir(), 'keymux-providers-'))
const vaults: CliVault[] = []
const made = (...config: Parameters<typeof makeCliVault>): CliVault => {
  const vault = makeCliVault(...config)
  vaults.push(vault)
  return vault
}

afterEach(() => {
  for (const vault of vaults.splice(0)) vault.dispose()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a provider that needs no key', () => {
  test('is added without being asked for one, and hands out what stands for it', async () => {
    const vault = made()
    const added = await vault.run(['add', 'ollama:local'])
    expect(added).toMatchObject({ code: 0, stdout: 'ollama:local\n', stderr: '', asked: [] })
    expect((await vault.run(['resolve', 'ollama'])).stdout).toBe('no-key\n')
    expect((await vault.run(['env', 'ollama', '--format', 'json'])).stdout).toContain(
      '"OLLAMA_API_KEY":"no-key"',
    )
    const { profiles } = JSON.parse((await vault.run(['list', '--json'])).stdout)
    expect(profiles).toEqual([expect.objectContaining({ id: 'ollama:local', state: 'available' })])
  })

  test('takes one where there is one', async () => {
    const vault = made()
    const args = ['add', 'ollama:cloud', '--stdin', '--base-url', 'https://ollama.com']
    expect((await vault.run(args, { stdin: 'example-cloud-key' })).code).toBe(0)
    expect((await vault.run(['resolve', 'ollama'])).stdout).toBe('example-cloud-key\n')
  })

  test('may be one of your own, and others are still asked for theirs', async () => {
    const vault = made({ providers: { vllm: { base_url: 'http://127.0.0.1:8000/v1', keyless: true } } })
    // Of the config of this vault; the command line reads its own.
    const handle = await vault.open()
    await handle.profiles.add({ provider: 'vllm', name: 'local' })
    expect((await handle.resolver.resolve('vllm')).credential).toBe('no-key')
    await expect(handle.profiles.add({ provider: 'openai', name: 'x' })).rejects.toMatchObject({
      code: 'invalid_secret',
    })
    await handle.close()
  })
})

describe('a provider with an address for each account', () => {
  test('is not added without it, and nobody is asked for a key', async () => {
    const vault = made()
    const refused = await vault.run(['add', 'azure-openai:work', '--stdin'], { stdin: 'example-azure-key' })
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'keymux: each account of Azure OpenAI has a base URL of its own, and none is given: --base-url https://RESOURCE.openai.azure.com\n',
    })
    expect((await vault.run(['add', 'cloudflare', '--json'], { answers: ['example'] })).asked).toEqual([])
    expect(JSON.parse((await vault.run(['list', '--json'])).stdout).total).toBe(0)
    const args = ['add', 'azure-openai:work', '--stdin', '--base-url', 'https://my.openai.azure.com/']
    expect((await vault.run(args, { stdin: 'example-azure-key' })).code).toBe(0)
  })

  test('is not imported without it, and with it when the person has looked at it', async () => {
    const vault = made()
    const env = { AZURE_OPENAI_API_KEY: 'example-azure-key' }
    const alone = JSON.parse((await vault.run(['import', 'env', '--json'], { env })).stdout)
    expect(alone).toMatchObject({
      imported: [],
      failed: [
        {
          id: 'azure-openai:default',
          reason: 'each account of Azure OpenAI has a base URL of its own, and none is given',
        },
      ],
    })
    const whole = { ...env, AZURE_OPENAI_ENDPOINT: 'https://my.openai.azure.com' }
    const shy = JSON.parse((await vault.run(['import', 'env', '--json'], { env: whole })).stdout)
    expect(shy.failed).toEqual([expect.objectContaining({ id: 'azure-openai:default' })])
    const trusted = ['import', 'env', '--json', '--trust-endpoints']
    expect(JSON.parse((await vault.run(trusted, { env: whole })).stdout).imported).toEqual([
      'azure-openai:default',
    ])
    expect((await vault.run(['env', 'azure-openai', '--format', 'json'])).stdout).toContain(
      '"AZURE_OPENAI_ENDPOINT":"https://my.openai.azure.com"',
    )
  })

  test('tells so in what is shown of it', async () => {
    const vault = made()
    const { stdout } = await vault.run(['providers', 'show', 'vertex'])
    expect(stdout).toContain('one for each account: https://LOCATION-aiplatform.googleapis.com/')
    expect((await vault.run(['providers', 'show', 'deepgram'])).stdout).toMatch(/authorization: Token/)
  })
})

test('what other programs call a provider is understood, and the account has its real name', async () => {
  const vault = made()
  const add = ['add', 'google:work', '--stdin']
  expect((await vault.run(add, { stdin: 'example-gemini-key' })).stdout).toBe('gemini:work\n')
  expect((await vault.run(add, { stdin: 'example-gemini-key' })).code).toBe(7)
  expect((await vault.run(['add', 'toString', '--stdin'], { stdin: 'x' })).code).toBe(2)
})

test('failures are told as the definition says', async () => {
  const vault = made()
  const explained = async (provider: string, message: string): Promise<unknown> => {
    const args = [
      'explain-failure',
      '--json',
      '--provider',
      provider,
      '--status',
      '429',
      '--message',
      message,
    ]
    return JSON.parse((await vault.run(args)).stdout).decided_by?.family
  }
  const body = JSON.stringify({ error: { code: '1113', message: 'Insufficient balance' } })
  expect(await explained('zhipu', body)).toBe('zai')
  expect(await explained('zai', body)).toBe('zai')
  expect(await explained('moonshot', body)).not.toBe('zai')
})

test('a file of providers is refused with line and key', async () => {
  const path = join(folder, 'providers.yaml')
  const refusal = async (text: string): Promise<string> => {
    writeFileSync(path, text, { mode: 0o600 })
    const error: unknown = await readProviderFile(path).catch((each: unknown) => each)
    return error instanceof Error ? error.message : 'it was read'
  }
  const one = 'name: corp\nbase_url: https://corp.example\nfailure_family: acme\n'
  expect(await refusal(one)).toMatch(`${path}:3:1: provider "corp": failure_family must be one of openai`)
  const several =
    'a: { base_url: https://a.example }\nb:\n  base_url: https://b.example\n  check: { path: x }\n'
  expect(await refusal(several)).toMatch(`${path}:4:3: provider "b": check.method must be GET or POST`)
  expect(await refusal('a: { base_url: https://a.example, typo: 1 }\n')).toMatch(
    `${path}:1:35: provider "a": unknown key "typo"`,
  )
  expect(await refusal('a: {}\n')).toMatch(`${path}:1:1: provider "a": base_url must be given`)
})
