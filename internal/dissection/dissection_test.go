package dissection_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// dissect runs tshark over messages, in a configuration of its own.
func dissect(t *testing.T, messages [][]byte) []dissection.Frame {
	t.Helper()
	tshark := needs.Tool(t, "tshark")
	dir := t.TempDir()
	capture := filepath.Join(dir, "isakmp.pcapng")
	f, err := os.Create(capture)
	require.NoError(t, err)
	var ds []dissection.Datagram
	for _, m := range messages {
		ds = append(ds, dissection.Datagram{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Message: m})
	}
	require.NoError(t, dissection.WriteCapture(f, ds))
	require.NoError(t, f.Close())
	cmd := exec.Command(tshark, dissection.Arguments(capture)...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+dir)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	frames, err := dissection.ReadPDML(bytes.NewReader(out))
	require.NoError(t, err)
	require.Len(t, frames, len(messages))
	return frames
}

// message is a message of these payloads in the clear.
func message(x payload.Exchange, ps ...payload.Payload) []byte {
	h := payload.Header{
		CookieI: payload.Cookie{1, 2, 3, 4, 5, 6, 7, byte(x)}, CookieR: payload.Cookie{9, 10, 11}, Next: payload.First(ps),
		Version: payload.Version1, Exchange: x, Flags: payload.Commit, MessageID: 0xcafe0000 | uint32(x),
	}
	b := payload.Append(h.Append(nil), ps...)
	payload.SetLength(b)
	return b
}

func decode(t *testing.T, b []byte) (payload.Header, []payload.Payload) {
	t.Helper()
	h, err := payload.ParseHeader(b)
	require.NoError(t, err)
	chain, rest, err := payload.Parse(h.Next, b[payload.HeaderLen:])
	require.NoError(t, err)
	require.Empty(t, rest)
	var ps []payload.Payload
	for _, item := range chain {
		ps = append(ps, item.Payload)
	}
	return h, ps
}

// tshark finds in messages of every exchange, payload and attribute what the codec
// finds in them, and finds nothing wrong with them. A value that the codec had read
// in another way would be seen: each is altered in turn.
func TestTsharkAgrees(t *testing.T) {
	messages := synthetic(t)
	fields, alterations := 0, 0
	var all []payload.Payload
	exchanges := map[payload.Exchange]bool{}
	for i, f := range dissect(t, messages) {
		h, ps := decode(t, messages[i])
		require.Equal(t, strings.Join(dissection.Lines(h, ps, nil), "\n"), strings.Join(f.Lines, "\n"), "message %d", i+1)
		require.Equal(t, wrongFaults(ps[0]), f.Faults, "message %d", i+1)
		fields += len(f.Lines)
		all = append(all, ps...)
		exchanges[h.Exchange] = true
		alterations += dissection.AlterEach(&h, ps, func(what string) {
			if slices.Equal(dissection.Lines(h, ps, nil), f.Lines) {
				t.Errorf("message %d: %s is altered, and nobody sees it", i+1, what)
			}
		})
		require.Equal(t, dissection.Lines(h, ps, nil), f.Lines, "what was altered is restored")
	}
	wantEverything(t, exchanges, all)
	t.Logf("%d messages, %d fields, %d alterations seen", len(messages), fields, alterations)
}

// wantEverything requires one of all that the registry names, so that a new entry gets its example.
func wantEverything(t *testing.T, exchanges map[payload.Exchange]bool, all []payload.Payload) {
	t.Helper()
	seen := map[string]bool{}
	attributes := func(p payload.ProtocolID, as []payload.Attribute) {
		for _, a := range as {
			seen[fmt.Sprintf("attribute %d of %v", a.Type, p == payload.ProtocolISAKMP)] = true
		}
	}
	for _, p := range all {
		seen[p.Type().String()] = true
		switch p := p.(type) {
		case *payload.SA:
			for _, prop := range p.Proposals {
				for _, x := range prop.Transforms {
					attributes(prop.Protocol, x.Attributes)
					seen[fmt.Sprintf("transform %d of %v", x.ID, prop.Protocol)] = true
				}
			}
		case payload.Attributes:
			for _, a := range p.Attributes {
				seen[fmt.Sprintf("configuration attribute %d", a.Type)] = true
			}
		case payload.ID:
			seen["identification "+p.IDType.String()] = true
		case payload.Notify:
			seen["notification "+p.NotifyType.String()] = true
		case payload.Certificate:
			seen["certificate "+p.Encoding.String()] = true
		case payload.CertificateRequest:
			seen["request "+p.Encoding.String()] = true
		}
	}
	want := func(what string, is bool) {
		if is && !seen[what] {
			t.Errorf("no example of %s", what)
		}
	}
	named := func(s string) bool { return s[0] < '0' || s[0] > '9' }
	for n := range 256 {
		typ := payload.Type(n)
		want(typ.String(), typ.String() != fmt.Sprintf("payload type %d", n) && typ != payload.TypeNone && typ != payload.TypeProposal && typ != payload.TypeTransform)
		x := payload.Exchange(n)
		require.True(t, exchanges[x] || x.String() == fmt.Sprintf("exchange %d", n), "no example of %v", x)
		want("identification "+payload.IDType(n).String(), named(payload.IDType(n).String()))
		want("certificate "+payload.CertEncoding(n).String(), named(payload.CertEncoding(n).String()))
		want("request "+payload.CertEncoding(n).String(), named(payload.CertEncoding(n).String()))
		for _, p := range []payload.ProtocolID{payload.ProtocolISAKMP, payload.ProtocolAH, payload.ProtocolESP} {
			want(fmt.Sprintf("transform %d of %v", n, p), named(payload.TransformName(p, uint8(n))))
		}
	}
	for n := range 65536 {
		want("notification "+payload.NotifyType(n).String(), named(payload.NotifyType(n).String()))
		for _, p := range []payload.ProtocolID{payload.ProtocolISAKMP, payload.ProtocolESP} {
			want(fmt.Sprintf("attribute %d of %v", n, p == payload.ProtocolISAKMP), payload.AttributeKnown(p, uint16(n)))
		}
		name, _ := payload.ConfigAttributeName(payload.Attribute{Type: uint16(n)})
		want(fmt.Sprintf("configuration attribute %d", n), name != fmt.Sprintf("attribute %d", n))
	}
}

// tshark puts fragments together as the codec says they belong.
func TestTsharkReassembles(t *testing.T) {
	whole := message(payload.MainMode, payload.Hash{Data: bytes.Repeat([]byte{0x55}, 60)}, payload.VendorID{Data: []byte{1, 2, 3}})
	var messages [][]byte
	for n, part := range [][]byte{whole[:40], whole[40:80], whole[80:]} {
		f := payload.Fragment{ID: 9, Number: uint8(n + 1), Data: part}
		if n == 2 {
			f.Flags = payload.LastFragment
		}
		messages = append(messages, message(payload.MainMode, f))
	}
	h, ps := decode(t, whole)
	for i, f := range dissect(t, messages) {
		if i < 2 {
			require.Empty(t, f.Whole)
			continue
		}
		require.Equal(t, dissection.Lines(h, ps, nil), f.Whole)
	}
}

// The dissector hands certificates to another one, and shows names in words. openssl
// reads both from what the codec took out of the payloads.
func TestOpenSSLReadsCertificates(t *testing.T) {
	openssl := needs.Tool(t, "openssl")
	ask := func(der []byte, args ...string) string {
		cmd := exec.Command(openssl, args...)
		cmd.Stdin = bytes.NewReader(der)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	_, ps := decode(t, message(payload.MainMode,
		payload.ID{IDType: payload.IDDERDN, Data: dn},
		payload.Certificate{Encoding: payload.CertX509Signature, Data: certificate(t)},
		payload.CertificateRequest{Encoding: payload.CertX509Signature, Authority: dn},
	))
	said := ask(ps[1].(payload.Certificate).Data, "x509", "-inform", "DER", "-noout", "-subject", "-serial")
	require.Contains(t, strings.ReplaceAll(said, " ", ""), "subject=CN=a\nserial=01")
	for _, name := range [][]byte{ps[0].(payload.ID).Data, ps[2].(payload.CertificateRequest).Authority} {
		require.Regexp(t, `commonName\s+.*UTF8STRING\s+:a\n$`, ask(name, "asn1parse", "-inform", "DER"))
	}
}
