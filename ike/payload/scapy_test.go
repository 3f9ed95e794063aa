package payload_test

import (
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// upTo are the bytes 0 to n-1.
func upTo(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// Messages that scapy builds are what testdata/scapy_isakmp.py asked it for, and are
// written again to the same bytes. What scapy 2.5 cannot build (certificates,
// signatures, notifications, deletes) is in internal/dissection.
func TestScapyMessages(t *testing.T) {
	cmd := exec.Command(needs.Tool(t, "scapy"), "testdata/scapy_isakmp.py")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	short := payload.BasicAttribute
	want := map[string]struct {
		header   payload.Header
		payloads []payload.Payload
	}{
		"offer": {payload.Header{Next: payload.TypeSA}, []payload.Payload{
			payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, SPI: []byte("ignored!"), Transforms: []payload.Transform{
				{Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
					short(payload.AttrEncryption, payload.EncryptionAES), short(payload.AttrKeyLength, 256), short(payload.AttrHash, payload.HashSHA512),
					short(payload.AttrAuthMethod, payload.AuthRSASignature), short(payload.AttrGroup, 14), short(payload.AttrLifeType, payload.LifeSeconds),
					{Type: payload.AttrLifeDuration, Value: binary.BigEndian.AppendUint32(nil, 86400)[1:]}, // scapy has a number in as few bytes as it needs
				}},
				{Number: 2, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
					short(payload.AttrEncryption, payload.Encryption3DES), short(payload.AttrHash, payload.HashMD5),
					short(payload.AttrAuthMethod, payload.AuthXAUTHRespRevised), short(payload.AttrGroup, 2), short(payload.AttrGroupType, 3),
					short(payload.AttrLifeType, payload.LifeKilobytes), short(payload.AttrLifeDuration, 3600), short(payload.AttrPRF, 3), short(payload.AttrFieldSize, 155),
				}},
			}}),
			payload.VendorID{Data: unhex(t, "1e2b516905991c7d7c96fcbfb587e46100000004")},
			payload.VendorID{Data: unhex(t, "4048b7d56ebce88525e7de7f00d6c2d3")},
		}},
		"exchange": {payload.Header{Next: payload.TypeKE, Flags: payload.Commit, MessageID: 0xcafebabe}, []payload.Payload{
			payload.KeyExchange{Data: upTo(128)}, payload.Nonce{Data: upTo(20)}, payload.NATD{Draft: true, Hash: make([]byte, 20)},
		}},
		"proof": {payload.Header{Next: payload.TypeID}, []payload.Payload{
			payload.ID{IDType: payload.IDIPv4, Protocol: 17, Port: 500, Data: []byte{10, 0, 0, 1}}, payload.Hash{Data: upTo(16)},
		}},
	}
	read := 0
	for line := range strings.Lines(string(out)) {
		name, bytes, ok := strings.Cut(line, " ")
		require.True(t, ok, line)
		w, b := want[name], unhex(t, bytes)
		w.header.CookieI, w.header.CookieR = payload.Cookie([]byte("initiate")), payload.Cookie([]byte("responds"))
		w.header.Version, w.header.Exchange, w.header.Length = payload.Version1, payload.MainMode, uint32(len(b))
		h, err := payload.ParseHeader(b)
		require.NoError(t, err, name)
		require.Equal(t, w.header, h, name)
		chain, rest, err := payload.Parse(h.Next, b[payload.HeaderLen:])
		require.NoError(t, err, name)
		require.Empty(t, rest)
		var got []payload.Payload
		for _, item := range chain {
			got = append(got, item.Payload)
		}
		require.Equal(t, w.payloads, got, name)
		require.Equal(t, b, payload.Append(h.Append(nil), got...), name)
		read++
	}
	require.Len(t, want, read)
}
