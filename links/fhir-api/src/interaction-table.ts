import type { Interaction } from './interaction.ts'
import { bundle } from './interactions/bundle.ts'
import { create } from './interactions/create.ts'
import { conditionalDeletion, deletion } from './interactions/delete.ts'
import { historyOfInstance, historyOfSystem, historyOfType } from './interactions/history.ts'
import { conditionalPatch, patch } from './interactions/patch.ts'
import { read, vread } from './interactions/read.ts'
import { conditionalUpdate, update } from './interactions/update.ts'

/** Every interaction that is served, operations and searches apart: routes and the capability statement are read off it. */
export const interactions: readonly Interaction[] = [read, vread, create, update, conditionalUpdate, patch, conditionalPatch, deletion, conditionalDeletion, historyOfInstance, historyOfType, historyOfSystem, bundle]
