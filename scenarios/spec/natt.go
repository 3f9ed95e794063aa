package spec

import (
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/profile"
)

// Traversal is what a host does about NATs between it and its peers.
type Traversal struct {
	// Dialects are the versions of NAT traversal that the host announces and understands: draft-00, draft-01,
	// draft-02, draft-02n (the one of Windows, whose vendor ID is made of a name with a newline), draft-03 and rfc-3947, in the order of their
	// vendor IDs; or off. Of those that both sides have, the latest is used. Default: those of os, or draft-02n.
	Dialects Dialects `yaml:"nat-traversal"`
	// AssumeUDP is AssumeUDPEncapsulationContextOnSendRule of the registry: what an initiator makes of a
	// responder behind a NAT. 0: no SA with it; 1: an SA if the initiator is behind none; 2: an SA in any case. Default:
	// that of os, or 2, as before Windows XP SP2.
	AssumeUDP *int `yaml:"assume-udp-encapsulation" jsonschema:"minimum=0,maximum=2"`
	// KeepAlive is after how long without a packet to a peer a host behind a NAT sends it a keep-alive
	// (RFC 3948, Section 4); 0: never, as Windows Vista and Server 2008 before SP2. Default: that of os, or 20s.
	KeepAlive *Duration `yaml:"nat-keep-alive"`
	// KeepAliveOutside has a host that is behind no NAT send them, too, to a peer that is behind one. Default: it does not.
	KeepAliveOutside bool `yaml:"nat-keep-alive-outside"`
	// Originals is when the host tells its peer the addresses that it sees, by NAT-OA payloads in quick modes for
	// transport mode: always (RFC 3947, Section 5.2), behind, if it is behind a NAT itself, as Windows
	// does (MS-IKEE, 3.1.5), or never. Default: that of os, or behind.
	Originals string `yaml:"nat-originals" jsonschema:"enum=always,enum=behind,enum=never"`
	// OriginalsOne has those of the drafts be one payload, with the host's own address, as the texts of
	// the drafts have it. Default: they are two, as of the RFC: MS-IKEE, 3.2 says that Windows keeps to the RFC but for its numbers.
	OriginalsOne bool `yaml:"nat-originals-one"`
	// Force has the host count as one behind a NAT, whatever there is. Default: it does not.
	Force bool `yaml:"nat-force"`
	// Either has the responder of a quick mode take plain ESP although there is a NAT, and ESP in UDP although there is
	// none: RFC 3947, Section 5.1 advises against both. Default: it takes what fits.
	Either bool `yaml:"nat-accept-either"`
	// Begin4500 has main modes begin on port 4500, as RFC 3947, Section 4 lets them. Default: on port 500.
	Begin4500 bool `yaml:"nat-begin-4500"`
	// AnyForm accepts ESP with and without encapsulation in UDP, whatever was agreed on for its SA. Default: what
	// comes in another form is dropped.
	AnyForm bool `yaml:"esp-any-form"`
	// FixUp is how the checksums of TCP and UDP are repaired in what came through a NAT in transport mode (RFC 3948, Section
	// 3.1.2): increment, by the addresses that the peer has told; recompute; zero, of UDP, and for TCP as
	// verified; or verified, where the stack is told not to look. Which one is that of Windows is not published. Default: increment.
	FixUp string `yaml:"checksum-fix-up" jsonschema:"enum=increment,enum=recompute,enum=zero,enum=verified"`
	// WithoutOriginals takes the place of increment with a peer that has told no addresses: recompute
	// (default), zero or verified.
	WithoutOriginals string `yaml:"checksum-without-originals" jsonschema:"enum=recompute,enum=zero,enum=verified"`
	// Conflicts is what becomes of several computers behind one NAT, or with one address behind several, whose traffic looks
	// the same (RFC 3948, Section 5): newest, where the one with the newest SA gets all that is sent; refuse, where the
	// second one gets no SA; track, where each conversation goes on with the computer that it was last heard of from;
	// or translate, where one that looks like another computer's also gets a port of its own above IPsec. Default: newest; what Windows does is not published.
	Conflicts string `yaml:"nat-conflicts" jsonschema:"enum=newest,enum=refuse,enum=track,enum=translate"`
	// ConversationIdle is after how long without a packet track and translate forget a conversation. Default: 2h4m, the
	// least that a NAT keeps a connection of TCP (RFC 5382, Section 5).
	ConversationIdle Duration `yaml:"nat-conversation-idle"`
}

// Dialects are versions of NAT traversal, a list or one word; empty: none is spoken; nil: not said.
type Dialects []string

// The words of Traversal.
const (
	DialectsOff = "off"

	OriginalsAlways = "always"
	OriginalsBehind = "behind"
	OriginalsNever  = "never"

	FixUpIncrement = "increment"
	FixUpRecompute = "recompute"
	FixUpZero      = "zero"
	FixUpVerified  = "verified"

	ConflictsNewest    = "newest"
	ConflictsRefuse    = "refuse"
	ConflictsTrack     = "track"
	ConflictsTranslate = "translate"
)

// dialectOfWindows is the one of Windows up to Server 2003.
const dialectOfWindows = "draft-02n"

// Speaks are the versions of NAT traversal that the host speaks, in their order.
func (t Traversal) Speaks() []string {
	switch {
	case t.Dialects == nil:
		return []string{dialectOfWindows}
	case slices.Contains(t.Dialects, DialectsOff):
		return nil
	}
	return t.Dialects
}

// BehindNAT is the value of AssumeUDPEncapsulationContextOnSendRule.
func (t Traversal) BehindNAT() int {
	if t.AssumeUDP == nil {
		return 2
	}
	return *t.AssumeUDP
}

// KeepsAlive is after how long without a packet a keep-alive is sent; 0: none is.
func (t Traversal) KeepsAlive() time.Duration {
	if t.KeepAlive == nil {
		return 20 * time.Second
	}
	return t.KeepAlive.Span()
}

// TellsOriginals is one of the words of Originals.
func (t Traversal) TellsOriginals() string { return or(t.Originals, OriginalsBehind) }

// traversal are the settings of an operating system, where the node has none of its own.
func (t *Traversal) defaults(p *profile.Profile) {
	if t.Dialects == nil {
		t.Dialects = append(Dialects{}, p.NATTraversal...)
	}
	if t.AssumeUDP == nil {
		t.AssumeUDP = p.AssumeUDPEncapsulation
	}
	if t.KeepAlive == nil && p.NATKeepAlive != nil {
		d := Duration(*p.NATKeepAlive)
		t.KeepAlive = &d
	}
	t.Originals = or(t.Originals, p.NATOriginals)
}

// traversal checks what a host does about NATs.
func (c *checker) traversal(path string, t *Traversal) {
	known := append(profile.NATDialects(), DialectsOff)
	for i, word := range t.Dialects {
		at := item(child(path, "nat-traversal"), i)
		switch {
		case !slices.Contains(known, word):
			c.at(at, "nat-traversal: want %s, got %q%s", strings.Join(known, ", "), shorten(word), Suggest(word, known))
		case slices.Contains(t.Dialects[:i], word):
			c.at(at, "nat-traversal: %s is there twice", word)
		case word == DialectsOff && len(t.Dialects) > 1:
			c.at(at, "nat-traversal: off, and others beside it: leave one out")
		}
	}
	if t.AssumeUDP != nil {
		c.between(path, "assume-udp-encapsulation", *t.AssumeUDP, 0, 2)
	}
	if t.KeepAlive != nil {
		c.upToADay(path, "nat-keep-alive", *t.KeepAlive)
	}
	for _, w := range []struct {
		key, word string
		words     []string
	}{
		{"nat-originals", t.Originals, []string{OriginalsAlways, OriginalsBehind, OriginalsNever}},
		{"checksum-fix-up", t.FixUp, []string{FixUpIncrement, FixUpRecompute, FixUpZero, FixUpVerified}},
		{"checksum-without-originals", t.WithoutOriginals, []string{FixUpRecompute, FixUpZero, FixUpVerified}},
		{"nat-conflicts", t.Conflicts, []string{ConflictsNewest, ConflictsRefuse, ConflictsTrack, ConflictsTranslate}},
	} {
		if w.word != "" && !slices.Contains(w.words, w.word) {
			c.at(child(path, w.key), "%s: want %s, got %q%s", w.key, strings.Join(w.words, ", "), shorten(w.word), Suggest(w.word, w.words))
		}
	}
	if t.WithoutOriginals != "" && t.FixUp != "" && t.FixUp != FixUpIncrement {
		c.at(child(path, "checksum-without-originals"), "checksum-without-originals: takes the place of increment alone, and checksum-fix-up is %s", t.FixUp)
	}
	if c.span(path, "nat-conversation-idle", t.ConversationIdle); t.ConversationIdle > 0 && t.Conflicts != ConflictsTrack && t.Conflicts != ConflictsTranslate {
		c.at(child(path, "nat-conversation-idle"), "nat-conversation-idle: conversations are remembered with nat-conflicts: track or translate alone")
	}
}
