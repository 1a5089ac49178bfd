import type { Field } from './fields.ts'

// The types that describe types (GraphQL, October 2021, section 4).

const text = (name: string): Field => ({ name, from: 'element', type: 'String', isScalar: true, many: false })
const flag = (name: string): Field => ({ name, from: 'element', type: 'Boolean', isScalar: true, many: false })
const one = (name: string, type: string): Field => ({ name, from: 'element', type, isScalar: false, many: false })
const many = (name: string, type: string): Field => ({ name, from: 'element', type, isScalar: false, many: true })
const table = (...fields: readonly Field[]): Record<string, Field> => Object.fromEntries(fields.map((field) => [field.name, field]))

export const introspectionFields: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  __Schema: table(
    text('description'),
    many('types', '__Type'),
    one('queryType', '__Type'),
    one('mutationType', '__Type'),
    one('subscriptionType', '__Type'),
    many('directives', '__Directive'),
  ),
  __Type: table(
    text('kind'),
    text('name'),
    text('description'),
    text('specifiedByURL'),
    many('fields', '__Field'),
    many('interfaces', '__Type'),
    many('possibleTypes', '__Type'),
    many('enumValues', '__EnumValue'),
    many('inputFields', '__InputValue'),
    one('ofType', '__Type'),
    flag('isOneOf'),
  ),
  __Field: table(text('name'), text('description'), many('args', '__InputValue'), one('type', '__Type'), flag('isDeprecated'), text('deprecationReason')),
  __InputValue: table(text('name'), text('description'), one('type', '__Type'), text('defaultValue'), flag('isDeprecated'), text('deprecationReason')),
  __EnumValue: table(text('name'), text('description'), flag('isDeprecated'), text('deprecationReason')),
  __Directive: table(
    text('name'),
    text('description'),
    flag('isRepeatable'),
    { name: 'locations', from: 'element', type: 'String', isScalar: true, many: true },
    many('args', '__InputValue'),
  ),
}
