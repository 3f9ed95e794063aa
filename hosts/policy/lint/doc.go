// Package lint reviews IPsec policies: it finds what the documents about IPsec on
// Windows advise against, and what a careful reviewer would ask about.
//
// [Lint] takes policies with what is known of the hosts that have them. Some rules need
// a policy alone; others need to know who talks to whom: keys that do not meet,
// servers that nobody exempts, tunnels that end nowhere. What is not known is not judged.
//
// Each rule has a severity. An error is a design that the documents rule out, that does
// not work, or whose protection is none. A warning works, and leaves open or breaks more
// than its author is likely to want. An info is a choice that may well be right and has
// a price. [Rules] has them all with their reasons; docs/lint.md is made of it.
//
// Nothing is run, and a policy need not compile. Where several policies follow each
// other on a host, rules about pairs of hosts look at those that hosts start with.
package lint
