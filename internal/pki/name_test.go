package pki

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func mustName(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	require.NoError(t, err)
	return n
}

func TestNamesArePrinted(t *testing.T) {
	for _, tc := range []struct{ text, rfc, windows string }{
		{"CN=Lab Root, O=Lab, C=US", "CN=Lab Root,O=Lab,C=US", "C=US, O=Lab, CN=Lab Root"},
		{"C=US,O=Lab,CN=Lab Root", "CN=Lab Root,O=Lab,C=US", "C=US, O=Lab, CN=Lab Root"},
		{"C=US; S=WA; L=Redmond; O=Lab; CN=Root; MAILTO=ca@lab.example",
			"emailAddress=ca@lab.example,CN=Root,O=Lab,L=Redmond,ST=WA,C=US", "C=US, S=WA, L=Redmond, O=Lab, CN=Root, E=ca@lab.example"},
		{"cn=Root,dc=lab,dc=example", "CN=Root,DC=lab,DC=example", "DC=example, DC=lab, CN=Root"},
		{"DC=example, DC=lab, CN=Root", "CN=Root,DC=lab,DC=example", "DC=example, DC=lab, CN=Root"},
		{"dc=lab,dc=example", "DC=lab,DC=example", "DC=example, DC=lab"}, // does not tell: RFC 4514
		{`CN="Lab, ""the"" Root", O=A\+B`, `CN=Lab\, \"the\" Root,O=A\+B`, `O="A+B", CN="Lab, ""the"" Root"`},
		{`CN=\ lead and trail\ , O=\#1`, `CN=\ lead and trail\ ,O=\#1`, `O="#1", CN=" lead and trail "`},
		{`CN=back\\slash, O=x`, `CN=back\\slash,O=x`, `O=x, CN="back\\slash"`},
		{`CN=Lu\C4\8Di\C4\87, O=x`, `CN=Lučić,O=x`, `O=x, CN=Lučić`},
		{"OU=Sales + CN=J.  Smith, O=Widget Inc., C=US", "OU=Sales+CN=J.  Smith,O=Widget Inc.,C=US", "C=US, O=Widget Inc., OU=Sales + CN=J.  Smith"},
		{"1.2.3.4=x, OID.2.5.4.10=Lab", "1.2.3.4=#130178,O=Lab", "O=Lab, OID.1.2.3.4=x"},
		{"CN=#0c0141, O=#0500", "CN=A,O=#0500", "O=#0500, CN=A"},
		{"CN=, O=Lab", "CN=,O=Lab", `O=Lab, CN=""`},
		{"  CN = spaced  ", "CN=spaced", "CN=spaced"},
	} {
		n := mustName(t, tc.text)
		require.Equal(t, tc.rfc, n.String(), tc.text)
		require.Equal(t, tc.windows, n.Windows(), tc.text)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":            `pki: name "" is empty`,
		"Lab Root":    `pki: name "Lab Root", at "Lab Root": an attribute is written TYPE=VALUE`,
		"CN=a, XX=b":  `pki: name "CN=a, XX=b", at "XX=b": "XX" is no type of attribute; write CN, O, OU, C, S, L, DC, E and so on, or a number such as 2.5.4.3`,
		"CN=a,":       `pki: name "CN=a," ends with a separator`,
		`CN="a`:       `pki: name "CN=\"a", at "": the quote is not closed`,
		`CN="a"b`:     `pki: name "CN=\"a\"b", at "b": after a quoted value comes a separator`,
		`CN=a"b`:      `pki: name "CN=a\"b", at "\"b": a quote inside of a value is written \"`,
		`CN=a\`:       `pki: name "CN=a\\", at "\\": after a backslash comes one of \"+,;<>=#, a space, or two hexadecimal digits`,
		"CN=#zz":      `pki: name "CN=#zz", at "#zz": after # come hexadecimal digits`,
		"CN=#0c02":    `pki: name "CN=#0c02", at "#0c02": after # comes the DER of a value`,
		`CN=\FF`:      `pki: name "CN=\\FF", at "": the value is not UTF-8`,
		"CN=a+":       `pki: name "CN=a+", at "": an attribute is written TYPE=VALUE`,
		"3.1.1=a":     `pki: name "3.1.1=a", at "3.1.1=a": "3.1.1" is no type of attribute; write CN, O, OU, C, S, L, DC, E and so on, or a number such as 2.5.4.3`,
		"CN=a,,O=b":   `pki: name "CN=a,,O=b", at ",O=b": an attribute is written TYPE=VALUE`,
		"CN=#0500 x,": `pki: name "CN=#0500 x,", at "x,": after the digits comes a separator`,
	} {
		_, err := ParseName(text)
		require.EqualError(t, err, want)
	}
	_, err := ParseName("CN=" + strings.Repeat("a", maxNameText))
	require.ErrorContains(t, err, "at most")
}

// Claim C111: one name in the spellings of Windows, of RFC 4514 and of others,
// and in other string types. Texts and DER differ; the name is the same.
func TestNamesAreEqual(t *testing.T) {
	base := mustName(t, "C=US, S=Washington, O=Lab, CN=Lab Root, E=ca@lab.example")
	der, err := base.Marshal()
	require.NoError(t, err)
	for _, text := range []string{
		"emailAddress=ca@lab.example,CN=Lab Root,O=Lab,ST=Washington,C=US",
		"MAILTO=CA@LAB.EXAMPLE, CN=lab   root, O=\" Lab \", ST=washington, C=us",
		"C=US;ST=Washington;O=Lab;CN=Lab Root;Email=ca@lab.example",
	} {
		n := mustName(t, text)
		require.True(t, base.Equal(n), text)
		require.NotEqual(t, base.Windows(), text)
	}
	for _, e := range []Encoding{EncodingUTF8, EncodingBMP, EncodingT61, EncodingUniversal} {
		n := mustName(t, base.String())
		n[3][0].Encoding = e
		other, err := n.Marshal()
		require.NoError(t, err)
		require.NotEqual(t, der, other)
		back, err := ParseNameDER(other)
		require.NoError(t, err)
		require.True(t, base.Equal(back), "%d", e)
		again, err := back.Marshal()
		require.NoError(t, err)
		require.Equal(t, other, again, "the string type is kept")
	}
	for _, text := range []string{
		"C=US, S=Washington, O=Lab, CN=Lab Root",
		"C=US, S=Washington, O=Lab, CN=LabRoot, E=ca@lab.example",
		"C=US, L=Washington, O=Lab, CN=Lab Root, E=ca@lab.example",
		"C=US, O=Lab, S=Washington, CN=Lab Root, E=ca@lab.example",
		"C=US, S=Washington, O=Lab + CN=Lab Root, E=ca@lab.example",
	} {
		require.False(t, base.Equal(mustName(t, text)), text)
	}
	require.True(t, mustName(t, "CN=a+OU=b, O=c").Equal(mustName(t, "OU=b + CN=a, O=c")))
	require.False(t, mustName(t, "CN=a+OU=b, O=c").Equal(mustName(t, "CN=a, OU=b, O=c")))
	require.True(t, mustName(t, "CN=ſtraße Σ").Equal(mustName(t, "CN=STRAße ς")))
	require.Equal(t, "Lab Root", base.Find(AttributeCN))
}

// Written by "openssl req -subj … -outform DER" (OpenSSL 3.0), cut out by hand:
// /C=US/ST=WA/O=Lab/CN=Root/emailAddress=ca@lab.example, with UTF8String as its default.
func TestNameDER(t *testing.T) {
	n := mustName(t, "C=US, S=WA, O=Lab, CN=Root, E=ca@lab.example")
	for i := 1; i < 4; i++ {
		n[i][0].Encoding = EncodingUTF8
	}
	der, err := n.Marshal()
	require.NoError(t, err)
	require.Equal(t, "3056310b3009060355040613025553310b300906035504080c025741310c300a060355040a0c034c6162310d300b06035504030c04526f6f74311d301b06092a864886f70d010901160e6361406c61622e6578616d706c65", hex.EncodeToString(der))
	// The attributes of one part are sorted (X.690, Section 11.6), however they are written.
	ab, err := mustName(t, "CN=a+O=b").Marshal()
	require.NoError(t, err)
	ba, err := mustName(t, "O=b+CN=a").Marshal()
	require.NoError(t, err)
	require.Equal(t, ab, ba)
	require.Equal(t, "30163114300806035504031301613008060355040a130162", hex.EncodeToString(ab))
	for i := range der {
		_, err := ParseNameDER(der[:i])
		require.Error(t, err)
	}
	_, err = Name{{{Type: AttributeCN, Value: "\U0001F600", Encoding: EncodingBMP}}}.Marshal()
	require.ErrorContains(t, err, "does not fit a BMPString")
	_, err = Name{{}}.Marshal()
	require.Error(t, err)
}

// genName makes names of all string types that can hold the value.
func genName() *rapid.Generator[Name] {
	attribute := rapid.Custom(func(t *rapid.T) Attribute {
		a := Attribute{Value: rapid.String().Draw(t, "value")}
		if rapid.Bool().Draw(t, "known") {
			a.Type = rapid.SampledFrom(attributeTypes).Draw(t, "type").oid
		} else {
			a.Type = OID{1, rapid.IntRange(0, 39).Draw(t, "arc"), rapid.IntRange(0, 1<<20).Draw(t, "arc")}
		}
		a.Encoding = rapid.SampledFrom([]Encoding{EncodingDefault, EncodingUTF8, EncodingBMP, EncodingT61, EncodingUniversal}).Draw(t, "encoding")
		if _, err := a.value(); err != nil {
			a.Encoding = EncodingUTF8
		}
		return a
	})
	return rapid.Custom(func(t *rapid.T) Name {
		var n Name
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			n = append(n, rapid.SliceOfN(attribute, 1, 3).Draw(t, "part"))
		}
		return n
	})
}

func TestNamesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := genName().Draw(t, "name")
		der, err := n.Marshal()
		require.NoError(t, err)
		back, err := ParseNameDER(der)
		require.NoError(t, err)
		require.True(t, n.Equal(back))
		again, err := back.Marshal()
		require.NoError(t, err)
		require.Equal(t, der, again)

		rfc, err := ParseNameOrdered(n.String(), OrderRFC4514)
		require.NoError(t, err)
		require.True(t, n.Equal(rfc), "%s", n)
		windows, err := ParseNameOrdered(n.Windows(), OrderX500)
		require.NoError(t, err)
		require.True(t, n.Equal(windows), "%s", n.Windows())
		require.Equal(t, n.String(), rfc.String())
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"CN=Lab Root, O=Lab, C=US", `CN="a ""b""";O=\C4\8D`, "OU=a+CN=#0c0141", "1.2.3=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		back, err := ParseNameOrdered(n.String(), OrderRFC4514)
		require.NoError(t, err, "%q", n.String())
		require.True(t, n.Equal(back))
		back, err = ParseNameOrdered(n.Windows(), OrderX500)
		require.NoError(t, err, "%q", n.Windows())
		require.True(t, n.Equal(back))
		_, err = n.Marshal()
		require.NoError(t, err)
	})
}

func FuzzParseNameDER(f *testing.F) {
	for _, s := range []string{"CN=Lab Root, O=Lab, C=US", "OU=a+CN=#0c0141", "1.2.3=x"} {
		der, err := mustName(f, s).Marshal()
		require.NoError(f, err)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := ParseNameDER(der)
		if err != nil {
			return
		}
		again, err := n.Marshal()
		require.NoError(t, err)
		require.Len(t, again, len(der)) // a set may be out of order
		back, err := ParseNameDER(again)
		require.NoError(t, err)
		require.True(t, n.Equal(back))
		if len(n.String()) > maxNameText || len(n) == 0 {
			return
		}
		back, err = ParseNameOrdered(n.String(), OrderRFC4514)
		require.NoError(t, err)
		require.True(t, n.Equal(back), "%q", n.String())
	})
}
