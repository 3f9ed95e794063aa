// Package netsh reads and writes the scripts with which administrators of Windows
// Server 2003 configure IPsec: netsh ipsec static and netsh ipsec dynamic.
//
// A [Store] is what such scripts change: filter lists, filter actions and policies of
// the local and of the persistent location, the dynamic rules, and the configuration
// of the host. [Store.Run] takes a script line by line, as netsh does: a line that is
// refused changes nothing, is reported with its place and the reason, and the next one
// goes on. Each line is accounted for in the [Result]. [Store.Policy] makes a
// policy.Policy of what there is, and [Store.Script] writes it all out as a script
// that reads in to the same store.
//
// # Forms of a script
//
// Three forms are read, and may be mixed:
//
//   - the lines of a batch file, each a whole command: netsh ipsec static add …;
//   - the files of netsh -f and netsh exec, which are what one would type at netsh's
//     prompt: a context on its own line (ipsec static, or pushd ipsec static), then
//     commands of that context; popd, .. and exit;
//   - what netsh dump writes, which is the second form with comments.
//
// A word may be shortened to any unambiguous beginning, as the documentation of
// NetShell says (Command Abbreviation); a whole word always wins, so that filter is
// not short for filterlist. Upper and lower case are alike. Options are tag=value,
// with spaces around the = or without, in any order; values without tags fill the
// options in the order of the documentation, before all that have one.
//
// # Lab rules
//
// What the published documentation leaves open is decided here, and docs/netsh.md
// lists it: how quotes stand within quotes, that # and rem begin a comment, that ^ at
// the end of a line continues it, that names are compared without regard to case, and
// which security methods a filter action without any has.
//
// Sources: the reference of netsh ipsec (MicrosoftDocs/windowsserverdocs), the help
// that the command prints, TechNet cc739550 and cc756984, KB2790970.
package netsh
