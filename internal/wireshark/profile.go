// Package wireshark turns the key events of a trace into a Wireshark
// configuration folder, so that Wireshark and tshark open a run's capture with
// IKE and ESP decrypted and every integrity check value verified.
//
// The folder works in two ways: as the whole personal configuration of one call
// (Env names it in WIRESHARK_CONFIG_DIR), or copied into Wireshark's own
// profiles folder. Its README.txt tells a person how to do either. File formats
// and algorithm names are those of Wireshark 3.0 and later; a test runs tshark
// over packets of every suite that the project has.
package wireshark

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// The files of a profile, by the names that Wireshark demands.
const (
	preferencesFile = "preferences"
	ikev1File       = "ikev1_decryption_table"
	espFile         = "esp_sa"
	disabledFile    = "disabled_protos"
	readmeFile      = "README.txt"
)

// preferences switch on what Wireshark leaves off by default. A frame that a
// router forwards is in the capture once per segment, which the sequence
// analysis of ESP would call a repetition.
const preferences = `# Written by ipseclab.
esp.enable_encryption_decode: TRUE
esp.enable_authentication_check: TRUE
esp.do_esp_sequence_analysis: FALSE
`

// disabled are the dissectors of applications that scenarios name by their ports or
// protocols: those of the lab send bytes of a pattern in their place, of which such a
// dissector would say that they are malformed.
const disabled = `dns
kerberos
nbdgm
nbns
rsvp
`

// WriteProfile writes the profile for the keys in events to dir, which is made
// if absent. The files depend on nothing but the events: rows stand in the order
// in which their keys came into use, each once. An SA with an algorithm that
// Wireshark cannot decode has no row; README.txt counts such SAs by algorithm.
func WriteProfile(dir string, events []trace.Event) error {
	p := tables(events)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("wireshark: making the profile folder: %w", err)
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{preferencesFile, []byte(preferences)},
		{ikev1File, p.ike.content()},
		{espFile, (&table{rows: slices.Concat(p.esp.rows, p.anywhere())}).content()},
		{disabledFile, []byte(disabled)},
		{readmeFile, readme(p)},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o666); err != nil {
			return fmt.Errorf("wireshark: writing the profile: %w", err)
		}
	}
	return nil
}

// table is the content of one of Wireshark's tables without repeated rows.
type table struct {
	rows []string
	seen map[string]bool
}

func (t *table) add(row string) {
	if t.seen[row] {
		return
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[row] = true
	t.rows = append(t.rows, row)
}

func (t *table) content() []byte {
	var b bytes.Buffer
	b.WriteString("# Written by ipseclab from the keys of a simulated run.\n")
	for _, r := range t.rows {
		b.WriteString(r)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func readme(p profile) []byte {
	var b strings.Builder
	b.WriteString(`Wireshark profile of a simulated run: decrypts the IKE and ESP of the capture beside it.
All keys in it come from the scenario's seed and protect nothing real.

For one look, from the folder that holds capture.pcapng (Wireshark or tshark 3.0 or later):

    WIRESHARK_CONFIG_DIR="$PWD/wireshark" wireshark capture.pcapng
    WIRESHARK_CONFIG_DIR="$PWD/wireshark" tshark -r capture.pcapng

As a profile to choose in Wireshark: copy this folder into Wireshark's own folder of profiles under a
name of your choice, then pick that name at the right end of the status line.

    Linux, macOS    ~/.config/wireshark/profiles/NAME
    Windows         %APPDATA%\Wireshark\profiles\NAME

The dissectors of DNS, Kerberos, NetBIOS and RSVP are off, because applications of the lab send bytes of a
pattern to their ports.
ESP sequence analysis is off, because a frame that crosses a router is in the capture once per segment.
Of an encrypted IKE message that is in the capture several times (repeated by its sender, or forwarded by
a router) Wireshark decrypts the first copy and may call the others malformed: it carries the IV on from
copy to copy, which RFC 2409 does not.
Across a NAT it has to read each segment by itself: in a capture of both sides it takes the initiator's KE payload,
which comes from a second address there, for the responder's, and derives a wrong IV. Of the segment lan:

    tshark -r capture.pcapng -Y 'frame.interface_name matches ":lan$"' -w lan.pcapng

ESP in UDP on port 500, of the first drafts of NAT traversal, it takes for IKE and calls malformed.
ESP in transport mode is decrypted on both sides of a NAT; the checksum of the TCP or UDP in it is of the addresses on the
sender's side, and on the other Wireshark rightly calls it bad (RFC 3948, Section 3.1.2).

`)
	fmt.Fprintf(&b, "IKE main modes in ikev1_decryption_table: %d\n", len(p.ike.rows))
	fmt.Fprintf(&b, "ESP security associations in esp_sa: %d\n", len(p.esp.rows))
	for _, u := range p.unverified {
		fmt.Fprintf(&b, "Decrypted and not verified, because Wireshark cannot: %s (%d)\n", u.what, u.count)
	}
	for _, u := range p.unknown {
		fmt.Fprintf(&b, "Left out, because Wireshark cannot decode it: %s (%d)\n", u.what, u.count)
	}
	return []byte(b.String())
}
