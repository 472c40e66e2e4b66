import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { AGENTS, AGENTS_FOLDER, programOf, versionOf } from './agents.js'
import { toFixture } from './fixture.js'
import { SCENARIOS } from './scenarios.js'
import { LAST_WORDS } from './turns.js'
import { World } from './world.js'

const chosen = (variable: string): ((name: string) => boolean) | undefined => {
  const names = process.env[variable]?.split(',')
  return names && ((name) => names.includes(name))
}
const wantedAgent = chosen('TEST_AGENT') ?? (() => true)
const wantedScenario = chosen('TEST_SCENARIO')
const records = process.env.TEST_RECORD === '1'

let world: World | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

const agents = AGENTS.filter(({ name }) => wantedAgent(name))
const scenarios = SCENARIOS.filter(({ name, long }) => wantedScenario?.(name) ?? long !== true)

describe.each(agents.filter((agent) => programOf(agent) === undefined))('$name', (agent) => {
  test.skip(`not installed in ${AGENTS_FOLDER}/${agent.folder}`, () => {})
})

describe.each(agents.filter((agent) => programOf(agent) !== undefined))('$name', (agent) => {
  test.each(scenarios)('$name', async (scenario) => {
    world = new World(agent)
    await world.prepare(scenario)
    const run = await world.run(scenario)
    const told = `accounts ${run.accounts}\n${run.stdout}\n${run.stderr}`
    expect(run.code, told).toBe(0)
    expect(run.stdout, told).toContain(LAST_WORDS)
    expect(run.accounts, told).toMatch(/^[12]+$/)
    expect(run.accounts.length, told).toBeGreaterThan(scenario.turns ?? 0)
    if (!records || scenario.name !== 'works') return
    const fixture = toFixture(agent, versionOf(agent), run.recorded)
    writeFileSync(
      join(import.meta.dirname, 'fixtures', `${agent.name}.json`),
      `${JSON.stringify(fixture, null, 2)}\n`,
    )
  })
})
