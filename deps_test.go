package ipseclab_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// imports is the law of who may import whom. Each package of the module has
// its line here; test files are free, except that no test package is imported.
//
//	a -> b, c       a may import b and c, and whatever those may import
//	a uses x/y      a may import x/y, and what lies below it, from outside the module and the standard library
//	a never x, y    neither a nor a package below it reaches x, y or what lies below those, by any path
const imports = `
# The command joins what may not know each other.
cmd/ipseclab             -> interop, interop/cases, interop/images, interop/matrix, reports, scenarios, hosts/policy, natbox/boxes

# Real peers: the root filesystems that they run in know nothing of the lab.
interop/images           -> interop/control

# Real peers: their machines, wires and daemons.
interop                  -> scenarios, interop/images, interop/control, interop/swan, interop/libreswan, interop/openiked, interop/matrix, interop/tap
# What cells the interop matrix has, and what came of them: it knows no daemon and no world.
interop/matrix           -> scenarios/spec, internal/result

# The lab: a scenario file becomes a world, hosts and a verdict.
scenarios                -> hosts, internal/pieces, internal/scep, hosts/policy/lint, hosts/policy/netsh, natbox, scenarios/attack, scenarios/spec, internal/result, internal/wireshark, natbox/firewall, natbox/fair, natbox/observe
scenarios/attack         -> sim, ike/payload, internal/ipv6, internal/natt
hosts                    -> hosts/policy, hosts/dhcp, hosts/discovery, internal/pki, internal/scep, internal/http1, internal/traffic, natbox, natbox/firewall, ike/mux, esp, internal/ipv6, internal/recent, internal/tcprun
hosts/dhcp               ->
# Real peers: the conversation with the agent that runs in one, and the agent.
interop/control          ->
interop/agent            -> interop/control, interop/tap, internal/traffic
# TAPs and the addresses of interfaces, for the agent and for outside programs.
interop/tap              -> interop/control
# The discovery of NAT behaviour works on plain packets.
hosts/discovery          -> internal/stun, natbox/nat
hosts/policy             -> ike, internal/classifier, internal/pki, internal/profile
hosts/policy/lint        -> hosts/policy
hosts/policy/netsh       -> hosts/policy
natbox                   -> sim, internal/ipv6, internal/pieces, natbox/nat
# Which packets pass: an engine on bytes, for the forwarding device and for hosts.
natbox/firewall          -> internal/ipv6, internal/natt, internal/recent
# Translation is a table on plain bytes, which knows no device.
natbox/nat               ->
# What waits for a slow link, told apart by what a device on the way sees.
natbox/fair              -> natbox/observe
# What looks at packets on their way, and knows no keys.
natbox/observe           -> internal/ipsec, internal/ipv6, internal/natt, internal/pieces, internal/trace
sim                      -> internal/trace, internal/pcapng, internal/ipv6

# Real peers: what a policy means in the words of daemons, and how they are asked. None of it opens a world.
interop/peerconf         -> hosts, hosts/policy, scenarios/spec
interop/swan             -> interop/peerconf
interop/peerconf/sample  -> interop/peerconf
interop/libreswan        -> interop/peerconf
interop/openiked         -> interop/peerconf
# For tests alone: policies of all kinds, and daemons in namespaces.
interop/peerconf/jail    -> internal/needs

# The protocols. ike and esp never import each other: only hosts joins them.
ike/mux                  -> ike/ikev1
ike/ikev1                -> ike
# Certificates are read there to be described; what they are worth, hosts say.
ike                      -> ike/payload, internal/pki, internal/suite, internal/trace
ike/payload              -> internal/ipsec
esp                      -> esp/replay, internal/classifier, internal/recent, internal/suite, internal/trace

# The cases of the interop matrix, and the scans, are files; only their tests run them.
interop/cases            ->
interop/scans            ->

# Evidence, read from files: reports know nothing of the engine.
reports                  -> scenarios/spec, internal/result, internal/trace, internal/pcapng, internal/wireshark, internal/natt
internal/wireshark       -> internal/trace

# For tests alone: what the codec and a dissector say of a message, in one form.
internal/dissection      -> ike/payload, internal/pcapng

# Both sides of a policy search long lists of selectors: its compiler for key exchange, the data plane for packets.
internal/classifier      -> internal/ipsec

# Leaves.
# Profiles are data: the scenario file takes settings of hosts from them, policies what a system can do.
# Scenario files name kinds of events and their fields, which internal/trace lists.
# NAT boxes are data as well: the scenario file takes their names and settings from them.
scenarios/spec           -> internal/profile, internal/trace, natbox/boxes
natbox/boxes             -> internal/sourced, natbox/nat
internal/profile         -> internal/sourced
internal/sourced         ->
esp/replay               ->
internal/ipsec           -> internal/natt
# How IKE, ESP and keep-alives share a UDP port.
internal/natt            ->
# Messages of STUN, for who wants to know what a NAT does.
internal/stun            ->
# Certificates are enrolled for by messages of their own.
internal/scep            -> internal/pki
internal/pki             ->
internal/http1           ->
internal/suite           ->
internal/tcprun          ->
internal/trace           ->
# What applications say to each other, those of virtual hosts and those in real peers.
internal/traffic         ->
internal/result          ->
internal/ipv6            ->
internal/recent          ->
# Who waits for fragments differs; how they fit together does not.
internal/pieces          ->
internal/pcapng          ->
internal/needs           ->

# What the core needs from outside: netstack and its headers, cryptobyte, a cipher that the standard library has not.
internal/suite           uses golang.org/x/crypto/chacha20poly1305
sim                      uses gvisor.dev/gvisor/pkg/tcpip
hosts                    uses gvisor.dev/gvisor/pkg/tcpip, gvisor.dev/gvisor/pkg/buffer, gvisor.dev/gvisor/pkg/waiter
internal/tcprun          uses gvisor.dev/gvisor/pkg/tcpip, gvisor.dev/gvisor/pkg/sleep
natbox                   uses gvisor.dev/gvisor/pkg/tcpip/checksum
natbox/nat               uses gvisor.dev/gvisor/pkg/tcpip/checksum
natbox/observe           uses gvisor.dev/gvisor/pkg/tcpip/checksum
scenarios                uses gvisor.dev/gvisor/pkg/tcpip/checksum
ike/payload              uses golang.org/x/crypto/cryptobyte
internal/scep            uses golang.org/x/crypto/cryptobyte
internal/pki             uses golang.org/x/crypto/cryptobyte, software.sslmate.com/src/go-pkcs12

# Headers of packets, and their checksums.
hosts/discovery          uses gvisor.dev/gvisor/pkg/tcpip

# The codec of DHCP: its messages travel over the simulated network.
hosts/dhcp               uses github.com/insomniacslk/dhcp

# Files, frames as an observer decodes them, and people.
scenarios                uses github.com/google/gopacket
scenarios/attack         uses github.com/google/gopacket
internal/sourced         uses github.com/goccy/go-yaml
scenarios/spec           uses github.com/goccy/go-yaml, github.com/invopop/jsonschema
internal/dissection      uses github.com/google/gopacket
reports                  uses github.com/google/gopacket, github.com/jstemmer/go-junit-report/v2
interop/swan             uses github.com/strongswan/govici/vici
cmd/ipseclab             uses github.com/alecthomas/kong, github.com/schollz/progressbar/v3, golang.org/x/term, gvisor.dev/gvisor/pkg/log, github.com/owenrumney/go-sarif/v2

# Debian's packages, its archives and their signatures.
interop/images           uses github.com/goccy/go-yaml, github.com/ulikunitz/xz, github.com/ProtonMail/go-crypto, pault.ag/go/debian, golang.org/x/sync, github.com/moby/moby, github.com/containerd/errdefs

# Containers, and what Linux alone has.
interop                  uses github.com/testcontainers/testcontainers-go, github.com/moby/moby, golang.org/x/sys/unix, github.com/vishvananda/netlink, github.com/vishvananda/netns
# One stream carries many requests to a peer; its kernel speaks netlink.
interop/control          uses github.com/hashicorp/yamux
interop/agent            uses github.com/vishvananda/netlink, golang.org/x/sys/unix
interop/tap              uses github.com/vishvananda/netlink, golang.org/x/sys/unix

# A real TCP/IP stack lives under hosts and is given its time and randomness by
# sim. Protocols and evidence work on plain bytes.
ike                      never gvisor.dev/gvisor/pkg/tcpip/stack, gvisor.dev/gvisor/pkg/tcpip/transport
esp                      never gvisor.dev/gvisor/pkg/tcpip/stack, gvisor.dev/gvisor/pkg/tcpip/transport
reports                  never gvisor.dev/gvisor, github.com/ipseclab/ipseclab/sim, github.com/ipseclab/ipseclab/hosts
`

const module = "github.com/ipseclab/ipseclab"

func TestImports(t *testing.T) {
	law, err := parseLaw(imports)
	require.NoError(t, err)
	for _, offence := range law.offences(goList(t)) {
		t.Error(offence)
	}
}

// A bad edge of each kind is planted in a small module, so that the checker is seen to find it.
func TestImportsOffences(t *testing.T) {
	const table = `
		# comment
		app   -> mid
		mid   -> leaf
		lone  ->
		leaf  ->
		app   uses example.org/cli
		leaf  never example.org/net/deep`
	clean := map[string][]string{
		"app":  {"fmt", "m/mid", "m/leaf", "example.org/cli/flags"},
		"mid":  {"m/leaf"},
		"lone": nil,
		"leaf": nil,
	}
	for _, tc := range []struct {
		name, pkg string
		imports   []string
		want      []string
	}{
		{"the clean module", "lone", nil, nil},
		{"upwards", "leaf", []string{"m/mid"},
			[]string{"leaf imports mid: the table says leaf -> nothing"}},
		{"sideways", "mid", []string{"m/lone"},
			[]string{"mid imports lone: the table says mid -> leaf (and what those may import)"}},
		{"a module that the package may not use", "mid", []string{"example.org/cli"},
			[]string{"mid imports example.org/cli: the table has no line mid uses example.org/cli"}},
		{"a name that only starts alike", "app", []string{"example.org/client"},
			[]string{"app imports example.org/client: the table has no line app uses example.org/client"}},
		{"a path to what is never reached", "leaf", []string{"example.org/a"},
			[]string{
				"leaf imports example.org/a: the table has no line leaf uses example.org/a",
				"leaf reaches example.org/net/deep/er: leaf -> example.org/a -> example.org/b -> example.org/net/deep/er; the table says leaf never example.org/net/deep",
			}},
		{"a package without a line", "leaf/new", nil,
			[]string{"leaf/new has no line in the table of imports"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			law, err := parseLaw(table)
			require.NoError(t, err)
			g := graph{module: "m", imports: map[string][]string{
				"m/" + tc.pkg:   tc.imports,
				"example.org/a": {"example.org/b"},
				"example.org/b": {"example.org/net/deep/er"},
			}}
			for pkg, to := range clean {
				if pkg != tc.pkg {
					g.imports["m/"+pkg] = to
				}
			}
			require.Equal(t, tc.want, law.offences(g))
		})
	}

	law, err := parseLaw(table)
	require.NoError(t, err)
	require.Equal(t, []string{"the table names lone, which is not a package of the module"},
		law.offences(graph{module: "m", imports: map[string][]string{"m/app": nil, "m/mid": nil, "m/leaf": nil}}))
}

func TestImportsTableMistakes(t *testing.T) {
	for _, tc := range []struct{ table, want string }{
		{"a b", `line 1: "a b" is none of: a -> b, a uses b, a never b`},
		{"a ->\na ->", "line 2: a has two lines"},
		{"a -> b", "line 1: a may import b, which has no line of its own"},
		{"a -> b\nb -> c\nc -> b", "b may import itself: b -> c -> b"},
		{"a ->\nb uses example.org/x", "line 2: b has no line of its own"},
		{"a ->\na uses fmt", "line 2: fmt is in the standard library or in the module"},
	} {
		_, err := parseLaw(tc.table)
		require.EqualError(t, err, tc.want, tc.table)
	}
}

// law is the table of imports, read.
type law struct {
	may, uses, never map[string][]string // each as written
	all              map[string][]string // may, and what those may import, and so on
}

func parseLaw(text string) (*law, error) {
	l := &law{may: map[string][]string{}, uses: map[string][]string{}, never: map[string][]string{}, all: map[string][]string{}}
	line := map[string]int{}
	var rest []func() error // what can be judged when all lines are known
	for i, s := range strings.Split(text, "\n") {
		n := i + 1
		words := strings.Fields(strings.ReplaceAll(s, ",", " "))
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if len(words) == 1 || !slices.Contains([]string{"->", "uses", "never"}, words[1]) {
			return nil, fmt.Errorf("line %d: %q is none of: a -> b, a uses b, a never b", n, strings.TrimSpace(s))
		}
		from, to := words[0], words[2:]
		switch words[1] {
		case "->":
			if line[from] != 0 {
				return nil, fmt.Errorf("line %d: %s has two lines", n, from)
			}
			line[from], l.may[from] = n, to
			rest = append(rest, func() error {
				for _, p := range to {
					if line[p] == 0 {
						return fmt.Errorf("line %d: %s may import %s, which has no line of its own", n, from, p)
					}
				}
				return nil
			})
		case "uses":
			l.uses[from] = append(l.uses[from], to...)
			for _, p := range to {
				if !outside(p) {
					return nil, fmt.Errorf("line %d: %s is in the standard library or in the module", n, p)
				}
			}
			rest = append(rest, func() error {
				if line[from] == 0 {
					return fmt.Errorf("line %d: %s has no line of its own", n, from)
				}
				return nil
			})
		case "never":
			l.never[from] = append(l.never[from], to...)
		}
	}
	for _, f := range rest {
		if err := f(); err != nil {
			return nil, err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(l.may)) {
		if err := l.close(p, nil); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// close fills l.all[pkg]; path leads to pkg from where the search began.
func (l *law) close(pkg string, path []string) error {
	if i := slices.Index(path, pkg); i >= 0 {
		return fmt.Errorf("%s may import itself: %s", pkg, strings.Join(append(path[i:], pkg), " -> "))
	}
	if _, done := l.all[pkg]; done {
		return nil
	}
	path = append(path[:len(path):len(path)], pkg)
	var all []string
	for _, p := range l.may[pkg] {
		if err := l.close(p, path); err != nil {
			return err
		}
		all = append(append(all, p), l.all[p]...)
	}
	l.all[pkg] = all
	return nil
}

// offences are the edges of g that the law forbids, each in one sentence, in a stable order.
func (l *law) offences(g graph) []string {
	var out []string
	for _, pkg := range g.own() {
		if _, ok := l.may[pkg]; !ok {
			out = append(out, pkg+" has no line in the table of imports")
			continue
		}
		for _, path := range g.imports[g.module+"/"+pkg] {
			if to, ok := strings.CutPrefix(path, g.module+"/"); ok {
				if !slices.Contains(l.all[pkg], to) {
					out = append(out, fmt.Sprintf("%s imports %s: the table says %s -> %s", pkg, to, pkg, l.says(pkg)))
				}
			} else if outside(path) && !slices.ContainsFunc(l.uses[pkg], func(u string) bool { return below(path, u) }) {
				out = append(out, fmt.Sprintf("%s imports %s: the table has no line %s uses %s", pkg, path, pkg, path))
			}
		}
		for _, from := range slices.Sorted(maps.Keys(l.never)) {
			if !below(pkg, from) {
				continue
			}
			for _, bad := range l.never[from] {
				if path := g.path(g.module+"/"+pkg, func(p string) bool { return below(p, bad) }); path != nil {
					out = append(out, fmt.Sprintf("%s reaches %s: %s; the table says %s never %s", pkg, g.short(path[len(path)-1]),
						strings.Join(mapped(path, g.short), " -> "), from, bad))
				}
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(l.may)) {
		if _, ok := g.imports[g.module+"/"+pkg]; !ok {
			out = append(out, "the table names "+pkg+", which is not a package of the module")
		}
	}
	return out
}

func (l *law) says(pkg string) string {
	if len(l.may[pkg]) == 0 {
		return "nothing"
	}
	return strings.Join(l.may[pkg], ", ") + " (and what those may import)"
}

// below reports whether path is root or lies in its tree.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// outside reports whether an import path is neither of the standard library nor a short name of the module's.
func outside(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func mapped(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}
