import topics from '../topics/topics.json' with { type: 'json' }

export type TopicInteraction = 'create' | 'update' | 'delete'

/** What makes an event of a topic: a write of a resource, or an event of a module that names one. */
export interface TopicTrigger {
  /** Type of the focus; `*` for those that the subscription's filter criteria name. */
  resource: string
  on?: TopicInteraction[]
  /** A search that the resource matches after the write. */
  current?: string
  /** A search that it matched before the write; a creation has no before. */
  previous?: string
  /** Type of the module event, such as `lab.critical.alert.v1`. */
  event?: string
}

export interface Topic {
  /** The canonical URL that `Subscription.criteria` holds. */
  url: string
  title: string
  triggers: TopicTrigger[]
}

/** What can be subscribed to. SubscriptionTopic is no type of R4, so topics are content. */
export const subscriptionTopics = topics as readonly Topic[]
