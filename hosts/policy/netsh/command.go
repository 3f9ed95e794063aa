package netsh

import (
	"fmt"
	"slices"
	"strings"
)

// option is one option of a command.
type option struct {
	name     string
	required bool
	repeats  bool // may be given several times
	flag     bool // a word alone: delete filterlist all
}

// options reads the form in which the tables below list them, in the order of the
// documentation: * behind a name is required, + may be repeated, ! is a word alone.
func options(list string) (all []option) {
	for _, w := range strings.Fields(list) {
		o := option{name: strings.TrimRight(w, "*+!")}
		o.required = strings.Contains(w, "*")
		o.repeats = strings.Contains(w, "+")
		o.flag = strings.Contains(w, "!")
		all = append(all, o)
	}
	return all
}

// command is a command of a context.
type command struct {
	words   []string // behind the context: add filter
	options []option
	do      func(s *session, a *args) error
}

// context is a context of netsh, with those below it.
type context struct {
	name     string
	parent   *context
	below    []*context
	commands []command
}

// path is how one gets there: ipsec static.
func (c *context) path() string {
	if c.parent == nil {
		return ""
	}
	return strings.TrimSpace(c.parent.path() + " " + c.name)
}

func (c *context) root() *context {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

// firsts are the words with which something may begin in the context.
func (c *context) firsts() (all []string) {
	for _, b := range c.below {
		all = append(all, b.name)
	}
	for _, k := range c.commands {
		if !slices.Contains(all, k.words[0]) {
			all = append(all, k.words[0])
		}
	}
	return all
}

// seconds are the words that may follow the verb of a command.
func (c *context) seconds(verb string) (all []string) {
	for _, k := range c.commands {
		if k.words[0] == verb && len(k.words) > 1 {
			all = append(all, k.words[1])
		}
	}
	return all
}

func (c *context) command(words ...string) *command {
	for i := range c.commands {
		if slices.Equal(c.commands[i].words, words) {
			return &c.commands[i]
		}
	}
	return nil
}

// authentication are the options of authentication methods, whose order in the command
// is that of preference.
const authentication = " kerberos psk rootca+"

// contexts makes the tree of contexts. The tables follow the reference of netsh ipsec.
func contexts() *context {
	root := &context{}
	sub := func(parent *context, name string) *context {
		c := &context{name: name, parent: parent}
		parent.below = append(parent.below, c)
		return c
	}
	add := func(c *context, words, opts string, do func(*session, *args) error) {
		c.commands = append(c.commands, command{strings.Fields(words), options(opts), do})
	}
	global(root, add)
	ipsec := sub(root, "ipsec")
	for _, c := range otherContexts {
		sub(root, c)
	}
	shows := func(c *context, what, opts string) {
		add(c, "show "+what, opts, func(_ *session, a *args) error {
			a.note("show prints something, and a script that is read in has nobody to print it for")
			return nil
		})
	}

	static := sub(ipsec, "static")
	add(static, "add filter", "filterlist* srcaddr* dstaddr* description protocol mirrored srcmask dstmask srcport dstport", addFilter)
	add(static, "add filteraction", "name* description qmpfs inpass soft action qmsecmethods", addFilterAction)
	add(static, "add filterlist", "name* description", addFilterList)
	add(static, "add policy", "name* description mmpfs qmpermm mmlifetime activatedefaultrule pollinginterval assign mmsecmethods", addPolicy)
	add(static, "add rule", "name* policy* filterlist* filteraction* tunnel conntype activate description"+authentication, addRule)
	add(static, "set filteraction", "name guid newname description qmpfs inpass soft action qmsecmethods", setFilterAction)
	add(static, "set filterlist", "name guid newname description", setFilterList)
	add(static, "set policy", "name guid newname description mmpfs qmpermm mmlifetime activatedefaultrule pollinginterval assign gponame mmsecmethods", setPolicy)
	add(static, "set rule", "name id policy* newname description filterlist filteraction tunnel conntype activate"+authentication, setRule)
	add(static, "set defaultrule", "policy* qmpfs activate qmsecmethods"+authentication, setDefaultRule)
	add(static, "set store", "location* domain", setStore)
	add(static, "set batch", "mode*", setBatch)
	add(static, "delete filter", "filterlist* srcaddr* dstaddr* protocol mirrored srcmask dstmask srcport dstport", deleteFilter)
	add(static, "delete filteraction", "name all!", deleteFilterAction)
	add(static, "delete filterlist", "name all!", deleteFilterList)
	add(static, "delete policy", "name all!", deletePolicy)
	add(static, "delete rule", "name id all! policy*", deleteRule)
	add(static, "delete all", "", deleteEverything)
	shows(static, "all", "format wide")
	shows(static, "filteraction", "name rule all! level format wide")
	shows(static, "filterlist", "name rule all! level format resolvedns wide")
	shows(static, "gpoassignedpolicy", "name")
	shows(static, "policy", "name all! level format wide")
	shows(static, "rule", "name id all! default! policy type level format wide")
	shows(static, "store", "")
	for _, words := range []string{"exportpolicy", "importpolicy"} {
		add(static, words, "file*", func(_ *session, a *args) error {
			return a.unsupported("file", "the files of %s hold policies in a form that is not published: write a script instead", words)
		})
	}
	add(static, "restorepolicyexamples", "release*", restoreExamples)

	dynamic := sub(ipsec, "dynamic")
	const selector = "srcaddr* dstaddr* protocol srcport dstport mirrored conntype srcmask dstmask tunneldstaddress"
	add(dynamic, "add mmpolicy", "name* qmpermm mmlifetime softsaexpirationtime mmsecmethods", addMMPolicy)
	add(dynamic, "add qmpolicy", "name* soft pfsgroup qmsecmethods", addQMPolicy)
	add(dynamic, "add rule", "srcaddr* dstaddr* mmpolicy* qmpolicy protocol srcport dstport mirrored conntype actioninbound actionoutbound "+
		"srcmask dstmask tunneldstaddress"+authentication, addDynamicRule)
	add(dynamic, "set mmpolicy", "name* qmpermm mmlifetime softsaexpirationtime mmsecmethods", setMMPolicy)
	add(dynamic, "set qmpolicy", "name* soft pfsgroup qmsecmethods", setQMPolicy)
	add(dynamic, "set rule", selector+" mmpolicy qmpolicy actioninbound actionoutbound"+authentication, setDynamicRule)
	add(dynamic, "set config", "property* value*", setConfig)
	add(dynamic, "delete all", "", deleteDynamic)
	add(dynamic, "delete mmpolicy", "name all!", deleteMMPolicy)
	add(dynamic, "delete qmpolicy", "name all!", deleteQMPolicy)
	add(dynamic, "delete rule", selector, deleteDynamicRule)
	add(dynamic, "delete sa", "", deleteSA)
	shows(dynamic, "all", "resolvedns")
	shows(dynamic, "config", "")
	for _, filters := range []string{"mmfilter", "qmfilter"} {
		shows(dynamic, filters, "name all! type srcaddr dstaddr srcmask dstmask protocol srcport dstport actioninbound actionoutbound resolvedns")
	}
	shows(dynamic, "mmpolicy", "name all!")
	shows(dynamic, "qmpolicy", "name all!")
	for _, sas := range []string{"mmsas", "qmsas"} {
		shows(dynamic, sas, "all! srcaddr dstaddr format resolvedns protocol")
	}
	shows(dynamic, "rule", "type srcaddr dstaddr srcmask dstmask protocol srcport dstport actioninbound actionoutbound resolvedns")
	shows(dynamic, "stats", "all! ike! ipsec!")
	return root
}

// otherContexts are those that netsh of Windows Server 2003 has beside ipsec, so that
// abbreviations are ambiguous where they are there.
var otherContexts = []string{"aaaa", "bridge", "dhcp", "diag", "firewall", "interface", "ras", "routing", "rpc", "wins", "winsock"}

// args are the options that a line gives to its command.
type args struct {
	command *command
	at      place // of the command's first word
	given   []given
	notes   []string
	err     error // the first mistake
}

type given struct {
	*argument
	option *option
}

// bind gives each argument its option.
func bind(c *command, at place, list []argument) (*args, error) {
	a := &args{command: c, at: at}
	seen := map[string]bool{}
	tagged := false
	next := 0 // for values without tags
	for i := range list {
		v := &list[i]
		var o *option
		if v.tag == "" {
			if !v.quoted {
				o = c.flag(v.value)
			}
			if o == nil && tagged {
				return nil, refuse(v.at, "%q has no tag, and stands behind an option that has one: write %s", v.value, tags(c.options, seen))
			}
			for o == nil && next < len(c.options) {
				if !c.options[next].flag {
					o = &c.options[next]
				}
				next++
			}
			if o == nil {
				return nil, refuse(v.at, "%q is one value too many: %s", v.value, c.has())
			}
		} else {
			tagged = true
			name, several := match(v.tag, c.names())
			switch {
			case len(several) > 1:
				return nil, refuse(v.at, "%q could be %s", v.tag, strings.Join(several, ", "))
			case name == "":
				return nil, refuse(v.at, "there is no option %q: %s", v.tag, c.has())
			}
			o = c.option(name)
		}
		if seen[o.name] && !o.repeats {
			return nil, refuse(v.at, "%s is given twice", o.name)
		}
		seen[o.name] = true
		a.given = append(a.given, given{v, o})
	}
	for _, o := range c.options {
		if o.required && !seen[o.name] {
			return nil, refuse(at, "%s= is missing", o.name)
		}
	}
	return a, nil
}

func (c *command) names() (all []string) {
	for _, o := range c.options {
		if !o.flag {
			all = append(all, o.name)
		}
	}
	return all
}

func (c *command) option(name string) *option {
	i := slices.IndexFunc(c.options, func(o option) bool { return o.name == name })
	return &c.options[i]
}

func (c *command) flag(word string) *option {
	for i, o := range c.options {
		if o.flag && strings.EqualFold(word, o.name) {
			return &c.options[i]
		}
	}
	return nil
}

func (c *command) has() string {
	if len(c.options) == 0 {
		return "the command has no options"
	}
	var all []string
	for _, o := range c.options {
		all = append(all, o.name)
	}
	return "the command has " + strings.Join(all, ", ")
}

// tags are the options that are not given yet, as they are written.
func tags(all []option, seen map[string]bool) string {
	for _, o := range all {
		if !seen[o.name] && !o.flag {
			return o.name + "="
		}
	}
	return "its tag"
}

// note says what the line does not do.
func (a *args) note(format string, v ...any) { a.notes = append(a.notes, fmt.Sprintf(format, v...)) }

// find is the argument for an option; nil when it is not given.
func (a *args) find(name string) *given {
	for i, g := range a.given {
		if g.option.name == name {
			return &a.given[i]
		}
	}
	return nil
}

func (a *args) has(name string) bool { return a.find(name) != nil }

// fail keeps the first mistake.
func (a *args) fail(name, format string, v ...any) {
	if a.err == nil {
		a.err = a.refuse(name, format, v...)
	}
}

// refuse is a mistake in the value of an option, or of the command where it is not given.
func (a *args) refuse(name, format string, v ...any) error {
	at := a.at
	if g := a.find(name); g != nil {
		at = g.behind
	}
	return refuse(at, format, v...)
}

func (a *args) unsupported(name, format string, v ...any) error {
	return a.refuse(name, "unsupported: "+format, v...)
}
