package scenarios_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
)

// inFragments is what would have been heard if all messages had been cut (MS-IKEE, 3.3).
func (h heard) inFragments(t *testing.T) heard {
	t.Helper()
	cut := heard{scenario: h.scenario + " in fragments", table: h.table}
	for n, m := range h.messages {
		header, err := payload.ParseHeader(m.Message)
		require.NoError(t, err)
		header.Next, header.Flags = payload.TypeFragment, header.Flags&^payload.Encrypted
		half := len(m.Message) / 2
		for _, f := range []payload.Fragment{
			{ID: uint16(n + 1), Number: 1, Data: m.Message[:half]},
			{ID: uint16(n + 1), Number: 2, Flags: payload.LastFragment, Data: m.Message[half:]},
		} {
			part := m
			part.Message = payload.Append(header.Append(nil), f)
			payload.SetLength(part.Message)
			if f.Last() {
				part.whole = m.Message
			}
			cut.messages = append(cut.messages, part)
		}
	}
	return cut
}

// compare has tshark dissect all that was heard, and requires of each message the
// fields that the codec decodes it to. The dissector finds the keys of a main mode by
// the cookie of its initiator: scenarios with a cookie in common go to different runs.
func (l *listener) compare(t *testing.T, tshark string) {
	slices.SortFunc(l.all, func(a, b heard) int { return strings.Compare(a.scenario, b.scenario) })
	i := slices.IndexFunc(l.all, func(h heard) bool { return h.scenario == "h2h_nine_steps" })
	require.NotEqual(t, -1, i, "the captures have to be read in the same run")
	l.all = append(l.all, l.all[i].inFragments(t), sealedMainMode(t, payload.AuthRSAEncryption), sealedMainMode(t, payload.AuthRevisedRSAEncryption))
	runs := 0
	var total tally
	for rest := l.all; len(rest) > 0; runs++ {
		var now, later []heard
		cookies := map[payload.Cookie]bool{}
		for _, h := range rest {
			own := map[payload.Cookie]bool{}
			for _, d := range h.messages {
				own[payload.Cookie(d.Message[:8])] = true
			}
			clash := false
			for c := range own {
				clash = clash || cookies[c]
			}
			if clash {
				later = append(later, h)
				continue
			}
			for c := range own {
				cookies[c] = true
			}
			now = append(now, h)
		}
		compareRun(t, tshark, now, &total)
		rest = later
	}
	t.Logf("%d runs of tshark: %d messages, %d of them encrypted, %d with ciphertext of public keys and %d in fragments, with %d fields are the same; "+
		"%d alterations seen; %d messages that only their receiver can read",
		runs, total.messages, total.encrypted, total.sealed, total.reassembled, total.fields, total.altered, total.hidden)
	t.Logf("%d messages on port 4500; of NAT traversal: %v", total.natted, total.natt)
	require.Greater(t, total.messages, 1000)
	require.Greater(t, total.encrypted, 500)
	require.Greater(t, total.fields, 30*total.messages)
	require.Positive(t, total.reassembled)
	require.Positive(t, total.sealed)
	require.Positive(t, total.hidden)
	require.Greater(t, total.altered, 1000)
	require.Greater(t, total.natted, 100)
	for _, form := range []string{
		"NAT-D 20", "NAT-D 130", "NAT-OA 21", "NAT-OA 131",
		"draft-ietf-ipsec-nat-t-ike-00", "draft-ietf-ipsec-nat-t-ike-01", "draft-ietf-ipsec-nat-t-ike-02\\n", "draft-ietf-ipsec-nat-t-ike-03", "RFC 3947",
		"mode 1", "mode 2", "mode 4", "mode 61444",
	} {
		require.Positive(t, total.natt[form], "nobody says %s", form)
	}
}

type tally struct {
	messages, encrypted, reassembled, sealed, hidden, fields, altered, natted int

	natt map[string]int // what NAT traversal says in messages, by its form
}

// traversal counts the payloads and values of NAT traversal.
func (c *tally) traversal(ps []payload.Payload) {
	if c.natt == nil {
		c.natt = map[string]int{}
	}
	for _, p := range ps {
		switch p := p.(type) {
		case payload.NATD:
			c.natt[fmt.Sprintf("NAT-D %d", p.Type())]++
		case payload.NATOA:
			c.natt[fmt.Sprintf("NAT-OA %d", p.Type())]++
		case payload.VendorID:
			if name := p.Name(); strings.Contains(name, "nat-t-ike") || name == "RFC 3947" {
				c.natt[name]++
			}
		case *payload.SA:
			for _, proposal := range p.Proposals {
				if proposal.Protocol == payload.ProtocolISAKMP {
					continue
				}
				for _, a := range proposal.Transforms[0].Attributes {
					if v, ok := a.Uint(); ok && a.Type == payload.AttrEncapsulation {
						c.natt[fmt.Sprintf("mode %d", v)]++
					}
				}
			}
		}
	}
}

// sample: in one of so many messages each value that the codec decoded is altered in turn, which has to be seen.
const sample = 40

// same counts a message, of which the codec and tshark have to say the same.
func (c *tally) same(t *testing.T, where string, o *onlooker, d dissection.Datagram, theirs []string) {
	t.Helper()
	g := o.read(where, d)
	if g.hidden {
		c.hidden++
		return
	}
	look := func() []string { return dissection.Lines(g.header, g.payloads, g.padding) }
	ours := look()
	if g.sealed { // what ciphertext is an identification of, cannot be said
		inside := func(line string) bool { return strings.Contains(line, "isakmp.id.data.") }
		ours, theirs = slices.DeleteFunc(ours, inside), slices.DeleteFunc(theirs, inside)
		c.sealed++
	} else if g.refused != nil {
		t.Errorf("%s: the codec refuses it: %v", where, g.refused)
	}
	if !slices.Equal(ours, theirs) {
		t.Errorf("%s\nours:\n%s\n\ntshark's:\n%s", where, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}
	if c.messages%sample == 0 && !g.sealed {
		c.altered += dissection.AlterEach(&g.header, g.payloads, func(what string) {
			if slices.Equal(look(), theirs) {
				t.Errorf("%s: %s is altered, and nobody sees it", where, what)
			}
		})
	}
	c.messages++
	c.traversal(g.payloads)
	if d.SrcPort == 4500 || d.DstPort == 4500 {
		c.natted++
	}
	c.fields += len(ours)
	if g.header.Flags&payload.Encrypted != 0 {
		c.encrypted++
	}
}

func compareRun(t *testing.T, tshark string, scenarios []heard, total *tally) {
	t.Helper()
	dir := t.TempDir()
	var ds []dissection.Datagram
	var table strings.Builder
	for _, h := range scenarios {
		for _, m := range h.messages {
			ds = append(ds, m.Datagram)
		}
		table.WriteString(h.table)
	}
	capture := filepath.Join(dir, "isakmp.pcapng")
	var b bytes.Buffer
	require.NoError(t, dissection.WriteCapture(&b, ds))
	require.NoError(t, os.WriteFile(capture, b.Bytes(), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ikev1_decryption_table"), []byte(table.String()), 0o666))
	env := "WIRESHARK_CONFIG_DIR=" + dir
	cmd := exec.Command(tshark, dissection.Arguments(capture)...)
	cmd.Env = append(os.Environ(), env)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	frames, unread := dissection.ReadPDML(out) // while tshark writes
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, errors.Join(err, cmd.Wait()), problems.String())
	require.NoError(t, unread)
	require.Len(t, frames, len(ds), "tshark finds every message")
	n := 0
	for _, h := range scenarios {
		o := newOnlooker(t, h.table)
		for _, m := range h.messages {
			f, hidden := frames[n], total.hidden
			n++
			where := fmt.Sprintf("%s: message %d, from %v, %x", h.scenario, n, m.Src, m.Message[:payload.HeaderLen])
			total.same(t, where, o, m.Datagram, f.Lines)
			if m.whole != nil {
				total.reassembled++
				total.same(t, where+" made whole", o, dissection.Datagram{Src: m.Src, Dst: m.Dst, Message: m.whole}, f.Whole)
			}
			if len(f.Faults) > 0 && total.hidden == hidden {
				t.Errorf("%s: tshark finds %q", where, f.Faults)
			}
		}
	}
}
