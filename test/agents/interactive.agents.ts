import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { plainScreen, terminalSession } from '../transcripts/harness.js'
import { AGENTS, programOf } from './agents.js'
import { LAST_WORDS } from './turns.js'
import { World } from './world.js'

const claude = AGENTS.find(({ name }) => name === 'claude')
const wanted = process.env.TEST_AGENT?.split(',') ?? ['claude']

let world: World | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

/** Of somebody who has used Claude Code before, and trusts the folder. */
function settings(folder: string): string {
  const projects = { [folder]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } }
  return JSON.stringify({ hasCompletedOnboarding: true, theme: 'dark', projects })
}

describe.skipIf(claude === undefined || programOf(claude) === undefined || !wanted.includes('claude'))(
  'Claude Code in a terminal',
  () => {
    test('shows its prompt first, asks nothing about a key, and answers', async () => {
      if (claude === undefined) return
      world = new World(claude)
      await world.prepare({ name: 'works', accounts: [] })
      const work = join(world.sandbox, 'work')
      writeFileSync(join(world.sandbox, 'home', '.claude.json'), settings(work))
      const options = { env: world.env, cwd: work, columns: 100, timeout: 90_000 }
      const session = terminalSession(process.execPath, world.line([]), world.sandbox, options)
      await session.waitFor('❯')
      expect(plainScreen(session.screen())).not.toMatch(/api key|log ?in|sign in|do you want/i)
      session.type('Say something.')
      await session.waitFor(/something/)
      session.type('\r')
      await session.waitFor(new RegExp(LAST_WORDS.split(' ').join('[\\s\\S]{1,20}')))
      session.kill('SIGTERM')
      await session.ended
    })
  },
)
