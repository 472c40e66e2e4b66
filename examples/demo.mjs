// The main job from end to end, on a vault that is thrown away: two accounts of one provider, the first of
// which is rate-limited by a local stand-in for the provider. Nothing is asked, and nothing leaves the machine.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFetch, openKeymux } from 'keymux'
import { ok, rateLimited, startScriptedUpstream } from 'keymux/testing'
import OpenAI from 'openai'

const CLI = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url))
const folder = mkdtempSync(path.join(tmpdir(), 'keymux-demo-'))
const vault = path.join(folder, 'vault.db')
const keyFile = path.join(folder, 'key')
// What keymux remembers outside the vault goes with the folder too.
process.env.XDG_STATE_HOME = folder
const upstream = await startScriptedUpstream({ provider: 'openai' })

// Sample keys, made up for this demo.
const WORK_KEY = 'sk-demo-work-0000'
const PERSONAL_KEY = 'sk-demo-personal-0000'

try {
  upstream.respond(rateLimited({ retryAfter: 90 }), WORK_KEY)
  upstream.respond(ok({ text: 'Hello from the second account.' }), PERSONAL_KEY)

  say('1. A vault, and two accounts of one provider')
  keymux(['init', '--key-file', keyFile, '--quiet'])
  const to = ['--base-url', `${upstream.url}/v1`]
  keymux(['add', 'openai:work', '--stdin', '--priority', '10', ...to], WORK_KEY)
  keymux(['add', 'openai:personal', '--stdin', ...to], PERSONAL_KEY)

  say('2. A question to the provider with the official SDK, its fetch replaced by one of keymux')
  const handle = await openKeymux({ vault, unlock: { keyFile } })
  const client = new OpenAI({
    apiKey: 'keymux',
    // Its default, said here so that OPENAI_BASE_URL does not change it. The accounts have a base URL of their own.
    baseURL: 'https://api.openai.com/v1',
    maxRetries: 0,
    fetch: createFetch(handle, { provider: 'openai' }),
  })
  const request = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Who are you?' }] }
  const { data, response } = await client.chat.completions.create(request).withResponse()
  const profile = response.headers.get('x-keymux-profile')
  for (const { id, modelCooldowns } of await handle.profiles.views()) {
    for (const { reason, model } of modelCooldowns) console.log(`   ${id}: ${reason}, set aside for ${model}`)
  }
  console.log(`   ${profile} answered: ${data.choices[0]?.message.content}`)
  await handle.close()

  say('3. What keymux remembers: every process of this vault sees it')
  keymux(['status'])

  const keys = upstream.requests.map((request) => request.credential)
  if (profile !== 'openai:personal' || keys.join() !== [WORK_KEY, PERSONAL_KEY].join()) {
    throw new Error(`expected the second account to answer, after the first was asked; got ${profile}`)
  }
  say(`Done: ${keys.length} requests reached the provider, the second was served. The vault is gone again.`)
} finally {
  await upstream.close()
  rmSync(folder, { recursive: true, force: true })
}

function say(line) {
  console.log(`\n${line}`)
}

/** Runs the command line as its users do, and shows what it prints. */
function keymux(args, input = '') {
  const shown = args.map((arg) => arg.replace(folder, '$DEMO').replace(upstream.url, '$PROVIDER'))
  console.log(`   $ keymux ${shown.join(' ')}`)
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    input,
    encoding: 'utf8',
    env: { ...process.env, HOME: folder, KEYMUX_VAULT: vault, KEYMUX_KEY_FILE: keyFile, KEYMUX_CONFIG: '' },
  })
  const printed = `${stdout}${stderr}`.trimEnd()
  if (printed !== '') console.log(printed.replaceAll(folder, '$DEMO').replace(/^/gm, '     '))
  if (status !== 0) throw new Error(`keymux ${args[0]} ended with ${status}`)
}
