import { modelAllowed } from '../policy/model-globs.js'
import { modelKey } from '../policy/windows.js'
import type { Entry } from './entry.js'

/** For which models the entries of a group differ: for all others every entry serves as for any. */
export class ModelIndex {
  /** How many entries serve a model in another way than others. */
  readonly #models = new Map<string, number>()
  /** The same of globs of models. */
  readonly #classes = new Map<string, number>()
  /** How many serve certain models alone. */
  #limited = 0
  /** Of how many it is known what is left of a model. */
  #ranked = 0

  /** Whether entries may be in another order for one model than for another. */
  get isRanked(): boolean {
    return this.#ranked > 0
  }

  add(entry: Entry): void {
    this.#count(entry, 1)
  }

  delete(entry: Entry): void {
    this.#count(entry, -1)
  }

  /** Whether it matters that this model is asked for. */
  matters(model: string): boolean {
    if (this.#limited > 0) return true
    if (this.#models.size === 0 && this.#classes.size === 0) return false
    if (this.#models.has(modelKey(model))) return true
    for (const glob of this.#classes.keys()) if (modelAllowed([glob], model)) return true
    return false
  }

  #count({ models, record, quota }: Entry, by: number): void {
    if (quota !== undefined && quota.models.length > 0) this.#ranked += by
    if (record.meta.models !== undefined) this.#limited += by
    for (const model of models) {
      const counts = model.includes('*') ? this.#classes : this.#models
      const count = (counts.get(model) ?? 0) + by
      if (count === 0) counts.delete(model)
      else counts.set(model, count)
    }
  }
}
