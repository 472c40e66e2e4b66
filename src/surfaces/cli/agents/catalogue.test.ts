import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RECIPES } from './catalogue.js'

const PAGES = join(import.meta.dirname, '../../../../docs/integrations')
const page = (name: string): string => readFileSync(join(PAGES, `${name}.md`), 'utf8')

describe('the documentation of recipes', () => {
  it.each(RECIPES.map((each) => [each.name, each] as const))('%s has a page', (name, { trial, label }) => {
    expect(existsSync(join(PAGES, `${name}.md`))).toBe(true)
    expect(page(name)).toMatch(new RegExp(`^# ${label}\n`))
    expect(page(name)).toContain(trial.version)
    expect(page(name).includes('Not run')).toBe(trial.how !== 'run')
    expect(page(name).split('\n').length).toBeLessThan(40)
  })

  it.each(RECIPES.map((each) => [each.name, each] as const))('%s is in the overview', (name, each) => {
    const row = page('README')
      .split('\n')
      .find((line) => line.includes(`](${name}.md)`))
    expect(row).toContain(`[${each.label}]`)
    for (const provider of Object.keys(each.providers)) expect(row).toContain(provider)
    if (each.trial.how === 'run') expect(row).toContain(`run with ${each.trial.version}`)
  })
})
