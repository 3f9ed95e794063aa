package peerconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/pki"
)

// Host is what a scenario says of a peer.
type Host struct {
	Policy     *policy.Policy // nil: none assigned, and the peer negotiates nothing
	Persistent *policy.Policy // in force in addition; nil: none
	Options    policy.Options // those of a virtual host in its place
	Addresses  []netip.Addr
	Version    int // of IKE; 0: 1

	Certificates *hosts.Certificates // nil: the peer has none
	Settings     Settings
	Ignored      []string // see SettingsOf
}

// rootsOf stands for the certificates of a rule: Build wants to know the rule's authorities alone.
type rootsOf struct {
	ike.Certificates
	roots []policy.RootCA
}

// Build makes a peer's configuration of the policy that it has. Errors are mistakes of the
// policy, or of type *Unsupported.
func Build(h Host) (*Config, error) {
	o := h.Options
	if err := kerberos(h); err != nil {
		return nil, err
	}
	o.Certificates = func(roots []policy.RootCA) ike.Certificates { return &rootsOf{roots: roots} }
	c, err := policy.CompileBoth(h.Persistent, h.Policy, h.Addresses, o)
	if err != nil {
		return nil, err
	}
	b := &builder{host: h, compiled: c, config: &Config{Addresses: slices.Clone(h.Addresses), Settings: h.Settings, Ignored: h.Ignored}, names: map[string]int{}}
	for _, step := range []func() error{b.options, b.entries, b.response, b.repeat, b.secrets, b.credentials} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.config, nil
}

// kerberos finds rules that a virtual host could not have either without a domain.
func kerberos(h Host) error {
	if h.Options.KerberosKey != "" {
		return nil
	}
	wants := func(auth []policy.AuthMethod) bool {
		return len(auth) == 0 || slices.ContainsFunc(auth, func(a policy.AuthMethod) bool { return a.Kerberos })
	}
	for _, p := range []*policy.Policy{h.Policy, h.Persistent} {
		if p == nil {
			continue
		}
		for _, r := range p.Rules {
			if !r.Inactive && r.Action.Kind == policy.Negotiate && wants(r.Auth) {
				return unsupported("rule "+p.Name+"/"+r.Name+" authenticates by Kerberos", "no daemon has GSS-API for IKEv1")
			}
		}
		if p.DefaultResponse != nil && wants(p.DefaultResponse.Auth) {
			return unsupported("the default response rule of "+p.Name+" authenticates by Kerberos", "no daemon has GSS-API for IKEv1")
		}
	}
	return nil
}

type builder struct {
	host     Host
	compiled *policy.Compiled
	config   *Config
	names    map[string]int
	groups   []*group
}

// group is the connections with some peers: one for each method of authentication.
type group struct {
	local       netip.Addr
	remote      netip.Prefix
	v6          bool
	mainMode    ike.MainMode
	connections []int // in Config.Connections
}

// options finds what of the host's options no daemon is told.
func (b *builder) options() error {
	switch o := b.host.Options; {
	case o.ModeConfig != nil:
		return unsupported("mode config", "inner addresses are not written into the configuration of peers")
	case o.NewGroups != ike.NewGroups{}:
		return unsupported("new group mode", "no daemon has it (RFC 2409, Section 5.6)")
	}
	return nil
}

// entries makes a child or a shunt of each pair of SPD entries, in the order of the search.
func (b *builder) entries() error {
	out, in := b.compiled.Outbound, b.compiled.Inbound
	back := map[int]*ipsec.Policy{}
	for i := range in {
		if back[in[i].ID] == nil {
			back[in[i].ID] = &in[i]
		}
	}
	done := map[int]bool{}
	for i := range out {
		e := &out[i]
		if done[e.ID] {
			continue
		}
		done[e.ID] = true
		if err := b.entry(i+1, i, e, back[e.ID]); err != nil {
			return err
		}
	}
	for i := range in {
		e := &in[i]
		if done[e.ID] {
			continue
		}
		done[e.ID] = true
		if err := b.inboundAlone(len(out)+1+i, e); err != nil {
			return err
		}
	}
	return nil
}

// inboundAlone is for an entry that the peer has for what arrives and not for what it sends.
func (b *builder) inboundAlone(order int, e *ipsec.Policy) error {
	if e.Action == ipsec.Bypass && group4or6(e.Selector.Dst) {
		return b.shunt(order, e, e.Selector.Reverse())
	}
	return unsupported("rule "+e.Rule+", for what arrives alone", "policies of a daemon are for both directions: mirror the filter")
}

func group4or6(p netip.Prefix) bool {
	return p.IsValid() && (p.Addr().IsMulticast() || p.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

func (b *builder) entry(order, place int, e, back *ipsec.Policy) error {
	switch {
	case e.Rule == policy.ExemptISAKMP:
		return nil // the sockets of a daemon pass by themselves
	case e.Action == ipsec.Bypass && b.exemption(e):
		if back == nil || back.Selector != e.Selector.Reverse() {
			// Multicast and broadcast: one entry for what is sent, another for what arrives.
			if err := b.shunt(order, e, e.Selector); err != nil || back == nil {
				return err
			}
			return b.shunt(order, back, back.Selector.Reverse())
		}
		return b.shunt(order, e, e.Selector)
	case back == nil || back.Selector != e.Selector.Reverse():
		return unsupported("rule "+e.Rule+", for what is sent alone", "policies of a daemon are for both directions: mirror the filter")
	case e.Action != ipsec.Protect:
		return b.shunt(order, e, e.Selector)
	}
	mm, ok := b.compiled.MainModeOf(ipsec.Outbound, place)
	if !ok {
		return fmt.Errorf("peerconf: the SPD entry of rule %s has no main mode", e.Rule)
	}
	if back.Passthrough || e.Passthrough {
		return unsupported("rule "+e.Rule+" accepts unsecured communication", "a policy of a daemon either protects packets or lets them pass")
	}
	if e.FallBack {
		return unsupported("rule "+e.Rule+" falls back to clear", "daemons have no soft SAs")
	}
	return b.protect(order, e, mm, Trap)
}

// exemption reports whether an entry is one of those that stand before all filters.
func (b *builder) exemption(e *ipsec.Policy) bool { return strings.HasPrefix(e.Rule, "exempt: ") }

// shunt adds what passes or is dropped, for each family of the peer's addresses.
func (b *builder) shunt(order int, e *ipsec.Policy, outbound ipsec.Selector) error {
	for _, v6 := range b.families(outbound) {
		s := Shunt{
			Order: order, Proto: outbound.Proto, IPv6: v6, Drop: e.Action == ipsec.Discard,
			Local: Selector{Prefix: outbound.Src, Port: outbound.SrcPort}, Remote: Selector{Prefix: outbound.Dst, Port: outbound.DstPort},
		}
		for icmp := int(outbound.ICMP.First); icmp <= int(outbound.ICMP.Last); icmp++ { // one for each type: kernels have no ranges
			s.Name, s.ICMPType = b.ruleName(e.Rule), uint8(icmp)
			b.config.Shunts = append(b.config.Shunts, s)
		}
	}
	return nil
}

// families are those that a selector is of: that of its addresses, or each that the peer has.
func (b *builder) families(s ipsec.Selector) (v6 []bool) {
	for _, p := range []netip.Prefix{s.Src, s.Dst} {
		if p.IsValid() {
			return []bool{p.Addr().Is6()}
		}
	}
	for _, six := range []bool{false, true} {
		if s.Proto == ipsec.ProtoICMP && six || s.Proto == ipsec.ProtoICMPv6 && !six {
			continue
		}
		if slices.ContainsFunc(b.host.Addresses, func(a netip.Addr) bool { return a.Is6() == six }) {
			v6 = append(v6, six)
		}
	}
	return v6
}

// protect adds what is protected by an SPD entry to the connections with its peers.
func (b *builder) protect(order int, e *ipsec.Policy, mm ike.MainMode, start Start) error {
	mode := ipsec.Transport
	if e.Peer.IsValid() {
		mode = ipsec.Tunnel
	}
	for _, v6 := range b.families(e.Selector) {
		local, remote := b.local(e), e.Selector.Dst
		if mode == ipsec.Tunnel {
			local, remote = e.Local, ipsec.Host(e.Peer)
		}
		if remote.IsValid() && remote.IsSingleIP() {
			// Main mode goes by addresses: the first rule in search order gives its key (C117).
			if own := cmp.Or(local, b.anyLocal(remote.Addr().Is6())); own.IsValid() {
				if first, ok := b.compiled.MainMode(own, remote.Addr()); ok {
					mm = first
				}
			}
		}
		g, err := b.group(e.Rule, local, remote, v6 || remote.IsValid() && remote.Addr().Is6(), mm)
		if err != nil {
			return err
		}
		child, err := b.child(order, e, mode, v6, mm)
		if err != nil {
			return err
		}
		child.Start = start
		for i, at := range g.connections {
			if i > 0 {
				child.Start = Answer // one of them is enough
			}
			b.config.Connections[at].Children = append(b.config.Connections[at].Children, child)
		}
	}
	return nil
}

// local is the peer's own address that an entry names; invalid: none, or many.
func (b *builder) local(e *ipsec.Policy) netip.Addr {
	if p := e.Selector.Src; p.IsValid() && p.IsSingleIP() {
		return p.Addr()
	}
	return netip.Addr{}
}

func (b *builder) anyLocal(v6 bool) netip.Addr {
	for _, a := range b.host.Addresses {
		if a.Is6() == v6 {
			return a
		}
	}
	return netip.Addr{}
}

// group finds the connections with some peers, or makes them.
func (b *builder) group(rule string, local netip.Addr, remote netip.Prefix, v6 bool, mm ike.MainMode) (*group, error) {
	for _, g := range b.groups {
		if g.local == local && g.remote == remote && (g.v6 == v6 || remote.IsValid()) {
			if !sameAuth(g.mainMode, mm) {
				return nil, unsupported("rule "+rule+" authenticates otherwise than another one for the same peers", "a daemon has one way for a peer")
			}
			return g, nil
		}
	}
	g := &group{local: local, remote: remote, v6: v6, mainMode: mm}
	for _, a := range mm.Auth {
		auth, err := b.auth(rule, a, mm, cmp.Or(local, b.anyLocal(v6)))
		if err != nil {
			return nil, err
		}
		if mm.QuickModes != 0 {
			return nil, unsupported(fmt.Sprintf("%d quick modes for each main mode", mm.QuickModes), "daemons do not count them")
		}
		name := "to-" + nameOf(remote)
		if len(mm.Auth) > 1 {
			name += "-" + wordOf(a.Method)
		}
		g.connections = append(g.connections, len(b.config.Connections))
		b.config.Connections = append(b.config.Connections, Connection{
			Name: b.name(name), Local: local, Remote: remote, IPv6: v6, Version: cmp.Or(b.host.Version, 1), Proposals: mm.Proposals, Auth: auth,
			Aggressive: mm.Aggressive, Lifetime: mm.Lifetime,
		})
	}
	b.groups = append(b.groups, g)
	return g, nil
}

func nameOf(remote netip.Prefix) string {
	switch {
	case !remote.IsValid():
		return "any"
	case remote.IsSingleIP():
		return remote.Addr().String()
	}
	return remote.String()
}

func wordOf(m ike.AuthMethod) string {
	if m == ike.PreSharedKey {
		return "psk"
	}
	return "cert"
}

// sameAuth reports whether two main modes authenticate alike.
func sameAuth(a, b ike.MainMode) bool {
	return slices.EqualFunc(a.Auth, b.Auth, ike.Auth.Same)
}

// auth is how a method is told to a daemon.
func (b *builder) auth(rule string, a ike.Auth, mm ike.MainMode, local netip.Addr) (Auth, error) {
	if a.XAuth != nil {
		return Auth{}, unsupported("rule "+rule+" asks for a user (XAUTH)", "users are not written into the configuration of peers")
	}
	switch a.Method {
	case ike.PreSharedKey:
		return Auth{Method: a.Method, Secret: a.PreSharedKey, Identity: mm.Identity}, nil
	case ike.RSASignature:
	default:
		return Auth{}, unsupported(fmt.Sprintf("rule %s authenticates by %v", rule, a.Method), "daemons of today sign with RSA, or have a preshared key")
	}
	return b.certificates(rule, a, local)
}

// certificates is authentication by certificates of the rule's authorities.
func (b *builder) certificates(rule string, a ike.Auth, local netip.Addr) (auth Auth, err error) {
	auth.Method = a.Method
	own := b.host.Certificates
	if own == nil {
		own = &hosts.Certificates{}
	}
	roots := a.Certificates.(*rootsOf).roots
	silent := 0
	for _, root := range roots {
		if root.CertMapping {
			return auth, unsupported("rule "+rule+" maps certificates to accounts", "daemons know no accounts of a domain")
		}
		if root.ExcludeCAName {
			silent++
		}
		for _, c := range own.Store.Roots {
			if c.Subject.Equal(root.Name) {
				auth.Roots = append(auth.Roots, c)
			}
		}
	}
	switch {
	case own.OwnOnly && len(own.Store.Intermediates) > 0:
		return auth, unsupported("certificates of authorities between the own one and the root that are not sent", "a daemon that has them sends them")
	case silent != 0 && silent != len(roots):
		return auth, unsupported("rule "+rule+" names some authorities in certificate requests and not others", "a daemon names all, or asks for none")
	case len(auth.Roots) == 0:
		return auth, unsupported("rule "+rule, "the store of the peer has none of its authorities")
	}
	auth.Silent = silent > 0
	if len(own.Store.Own) > 0 {
		auth.Identity = own.IdentityOf(own.Store.Own[0].Certificate)
	}
	if auth.Identity.Type == 0 && local.IsValid() {
		auth.Identity = ike.AddressIdentity(local) // left to itself a daemon says the subject
	}
	return auth, nil
}

// child is what an SPD entry protects.
func (b *builder) child(order int, e *ipsec.Policy, mode ipsec.Mode, v6 bool, mm ike.MainMode) (Child, error) {
	c := Child{
		Name: b.ruleName(e.Rule), Order: order, Proto: e.Selector.Proto, IPv6: v6, Mode: mode,
		Local:  Selector{Prefix: e.Selector.Src, Port: e.Selector.SrcPort},
		Remote: Selector{Prefix: e.Selector.Dst, Port: e.Selector.DstPort},
	}
	if mode == ipsec.Transport {
		// Whatever the policy says, transport mode is between the ends of the connection; who
		// is behind a NAT is known there by another address.
		c.Local.Endpoint = !c.Local.Prefix.IsValid()
		c.Remote.Endpoint = c.Remote.Prefix.IsValid() && c.Remote.Prefix.IsSingleIP()
	}
	var err error
	if c.Lifetime, err = lifetime(e.Rule, e.Proposals); err != nil {
		return c, err
	}
	for _, p := range e.Proposals {
		if len(p.Transforms) != 1 {
			return c, unsupported("rule "+e.Rule+" has AH and ESP together", "a daemon's child is one of them")
		}
		if p.Transforms[0].Protocol != e.Proposals[0].Transforms[0].Protocol {
			return c, unsupported("rule "+e.Rule+" takes AH or ESP", "a daemon's child is one of them")
		}
		p.Mode = mode
		c.Proposals = append(c.Proposals, p)
	}
	if c.PFSGroup, err = pfs(e, mm); err != nil {
		return c, err
	}
	return c, nil
}

// lifetime is the one that all proposals of a rule have.
func lifetime(rule string, all []ipsec.Proposal) (ipsec.Lifetime, error) {
	if len(all) == 0 {
		return ipsec.Lifetime{}, fmt.Errorf("peerconf: rule %s negotiates and has no security methods", rule)
	}
	for _, p := range all[1:] {
		if p.Lifetime != all[0].Lifetime {
			return ipsec.Lifetime{}, unsupported("rule "+rule+" has security methods of several lifetimes", "a daemon's child has one: %v or %v", all[0].Lifetime, p.Lifetime)
		}
	}
	l := all[0].Lifetime
	l.Duration = cmp.Or(l.Duration, ike.DefaultLifetime)
	return l, nil
}

// pfs is the group of a quick mode's own exchange.
func pfs(e *ipsec.Policy, mm ike.MainMode) (uint16, error) {
	if !e.PFS || e.PFSGroup != 0 {
		return e.PFSGroup, nil
	}
	for _, p := range mm.Proposals {
		if p.Group != mm.Proposals[0].Group {
			return 0, unsupported("rule "+e.Rule+" has perfect forward secrecy in the group of a main mode that offers several",
				"a daemon's child names its group: offer one")
		}
	}
	if len(mm.Proposals) == 0 {
		return 0, fmt.Errorf("peerconf: rule %s negotiates and its main mode has no methods", e.Rule)
	}
	return mm.Proposals[0].Group, nil
}

// response adds the default response rule: an answer to whoever asks.
func (b *builder) response() error {
	mm, qm, ok := b.compiled.Response()
	if !ok {
		return nil
	}
	order := len(b.compiled.Outbound) + len(b.compiled.Inbound) + 1
	e := &ipsec.Policy{Rule: qm.Rule, Action: ipsec.Protect, Proposals: qm.Proposals, PFS: qm.PFS, PFSGroup: qm.PFSGroup}
	// The children of a daemon have one protocol: a rule that takes either becomes two.
	var ah, esp []ipsec.Proposal
	for _, p := range qm.Proposals {
		switch {
		case len(p.Transforms) != 1:
			return unsupported("the default response rule has AH and ESP together", "a daemon's child is one of them")
		case p.Transforms[0].Protocol == ipsec.AH:
			ah = append(ah, p)
		default:
			esp = append(esp, p)
		}
	}
	for _, methods := range [][]ipsec.Proposal{esp, ah} {
		if len(methods) == 0 {
			continue
		}
		e.Proposals = methods
		if err := b.protect(order, e, mm, Answer); err != nil {
			return err
		}
		order++
	}
	return nil
}

// repeat gives connections with some peers the children of those with more peers, among which they
// are: who comes by the narrower connection may ask for what the wider one is for.
func (b *builder) repeat() error {
	for _, narrow := range b.groups {
		for _, wide := range b.groups {
			if narrow == wide || !within(narrow, wide) {
				continue
			}
			if !sameAuth(narrow.mainMode, wide.mainMode) {
				return unsupported(fmt.Sprintf("peers at %s authenticate otherwise than those at %s, which they are among", nameOf(narrow.remote), nameOf(wide.remote)),
					"a daemon starts each child by the way of its own connection")
			}
			for i, at := range narrow.connections {
				for _, c := range b.config.Connections[wide.connections[i]].Children {
					to := &b.config.Connections[at]
					if c.Mode == ipsec.Tunnel || slices.ContainsFunc(to.Children, func(o Child) bool { return o.Name == c.Name }) {
						continue
					}
					c.Start = Answer
					to.Children = append(to.Children, c)
				}
			}
		}
	}
	return nil
}

// within reports whether all peers of one group are among those of another, and not the other way round.
func within(narrow, wide *group) bool {
	if wide.v6 != narrow.v6 || wide.local.IsValid() && wide.local != narrow.local {
		return false
	}
	switch {
	case !wide.remote.IsValid():
		return narrow.remote.IsValid()
	case !narrow.remote.IsValid():
		return false
	}
	return wide.remote.Bits() < narrow.remote.Bits() && wide.remote.Contains(narrow.remote.Addr())
}

// secrets are the keys of the connections. A key that is the only one is for everybody, so that who
// comes from behind a NAT finds it.
func (b *builder) secrets() error {
	for _, c := range b.config.Connections {
		if c.Auth.Method != ike.PreSharedKey {
			continue
		}
		i := slices.IndexFunc(b.config.Secrets, func(s Secret) bool { return string(s.Value) == string(c.Auth.Secret) })
		if i < 0 {
			i = len(b.config.Secrets)
			b.config.Secrets = append(b.config.Secrets, Secret{Name: fmt.Sprintf("key-%d", i+1), Value: c.Auth.Secret})
		}
		b.config.Secrets[i].Peers = append(b.config.Secrets[i].Peers, c.Remote)
	}
	for i := range b.config.Secrets {
		s := &b.config.Secrets[i]
		if len(b.config.Secrets) == 1 || slices.ContainsFunc(s.Peers, func(p netip.Prefix) bool { return !p.IsValid() }) {
			s.Peers = nil
			continue
		}
		slices.SortFunc(s.Peers, func(a, b netip.Prefix) int {
			return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
		})
		s.Peers = slices.Compact(s.Peers)
	}
	return nil
}

// credentials are the store of the peer, if a connection needs it.
func (b *builder) credentials() error {
	own := b.host.Certificates
	if own == nil || !slices.ContainsFunc(b.config.Connections, func(c Connection) bool { return c.Auth.Method.Signature() }) {
		return nil
	}
	for _, o := range own.Store.Own {
		if o.Key != nil && !pki.SameKey(o.Key.Public(), o.Certificate.Key) {
			return unsupported("a certificate with the private key of another one", "a daemon finds keys by their certificates")
		}
	}
	c := &b.config.Credentials
	c.Own, c.Roots, c.Intermediates = own.Store.Own, own.Store.Roots, own.Store.Intermediates
	if own.CRLCheck != pki.CRLNone {
		c.Lists, c.Strict = own.Store.Lists, own.CRLCheck == pki.CRLStrict
	}
	return nil
}

// ruleName is the name of what comes of a rule, without that of the policy.
func (b *builder) ruleName(rule string) string {
	if _, short, found := strings.Cut(rule, "/"); found {
		rule = short
	}
	return b.name(rule)
}

// name is a name of letters, digits and dashes that is given once.
func (b *builder) name(text string) string {
	short := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, text), "-")
	for strings.Contains(short, "--") {
		short = strings.ReplaceAll(short, "--", "-")
	}
	short = cmp.Or(short, "rule")
	if len(short) > maxName {
		short = short[:maxName]
	}
	b.names[short]++
	if n := b.names[short]; n > 1 {
		return b.name(fmt.Sprintf("%s-%d", short, n))
	}
	return short
}

// maxName leaves room for numbers: names of the kernel's and the daemons' own have at most 63 bytes.
const maxName = 40

// MarginOf is how long before the end of a lifetime an SA is replaced.
func (s *Settings) MarginOf(lifetime time.Duration) time.Duration {
	margin := s.Margin
	if margin <= 0 {
		margin = lifetime / 10
	}
	return min(max(margin.Truncate(time.Second), time.Second), lifetime/2)
}
