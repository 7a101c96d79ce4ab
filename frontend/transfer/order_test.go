package transfer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// header makes a header of lines "Name: value".
func header(lines ...string) http.Header {
	h := make(http.Header)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return h
}

func TestAsked(t *testing.T) {
	const here, there = "Destination: https://here.example.org/b", "Destination: https://there.example.org/b"
	for _, c := range []struct {
		want  bool
		lines []string
	}{
		{false, nil},
		{false, []string{here}},
		{false, []string{"Destination: /b", "Overwrite: F", "Depth: 0"}},
		{false, []string{"Destination: https://HERE.example.org/b"}},
		{false, []string{"Destination: :%"}},
		{true, []string{there}},
		{true, []string{"Source: https://here.example.org/b"}},
		{true, []string{"Source: "}},
		// From the federation to itself.
		{true, []string{here, "Credential: none"}},
		{true, []string{here, "TransferHeaderAuthorization: Bearer x"}},
		{true, []string{here, "X-Number-Of-Streams: 1", "Secure-Redirection: 1"}},
		{true, []string{here, "RequireChecksumVerification: false"}},
	} {
		if got := Asked(header(c.lines...), "here.example.org"); got != c.want {
			t.Errorf("%q: %v", c.lines, got)
		}
	}
}

func TestParse(t *testing.T) {
	o, err := Parse(header(
		"Source: davs://Storage.example.org:2880/a%2Fb/c?authz=x#top", "Credential: none", "Credential: none", "X-No-Delegate: true",
		"RequireChecksumVerification: True", "Overwrite: f", "X-Number-Of-Streams: 200", "SciTag: 66", "Secure-Redirection: 1",
		"TransferHeaderAuthorization: Bearer s3cr3t", "transferheaderx-dCache-option: a", "TransferHeaderX-Dcache-Option: b"))
	if err != nil {
		t.Fatal(err)
	}
	want := Order{
		Mode: Pull, Checksum: true, Streams: maxStreams, SciTag: 66, Secure: true,
		header: http.Header{"Authorization": {"Bearer s3cr3t"}, "X-Dcache-Option": {"a", "b"}},
	}
	if got := o.Remote.String(); got != "https://Storage.example.org:2880/a%2Fb/c?authz=x" {
		t.Errorf("Remote is %s", got)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %v", o, o, o, o, *o); strings.Contains(s, "s3cr3t") {
		t.Errorf("the token shows: %s", s)
	}
	o.Remote = nil
	if diff := cmp.Diff(want, *o, cmp.AllowUnexported(Order{})); diff != "" {
		t.Error(diff)
	}
	o, err = Parse(header("Destination: http://a/b"))
	if err != nil || o.Mode != Push || !o.Overwrite || o.Checksum || o.Streams != 0 || o.SciTag != 0 || o.Mode.String() != "push" || o.Host() != "a" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const source = "Source: https://a.example.org/f"
	for name, c := range map[string]struct {
		status int
		lines  []string
	}{
		"nothing":             {400, nil},
		"both":                {400, []string{source, "Destination: https://a.example.org/g"}},
		"two sources":         {400, []string{source, source}},
		"delegation":          {501, []string{source, "Credential: gridsite"}},
		"oidc":                {501, []string{source, "Credential: none", "Credential: oidc"}},
		"unknown credential":  {400, []string{source, "Credential: magic"}},
		"a path":              {400, []string{"Source: /a/b"}},
		"ftp":                 {400, []string{"Source: ftp://a/b"}},
		"a file":              {400, []string{"Source: file:///etc/passwd"}},
		"root":                {400, []string{"Source: root://a//b"}},
		"a password":          {400, []string{"Source: https://me:s3cr3t@a/b"}},
		"no host":             {400, []string{"Source: https:///b"}},
		"a port and no host":  {400, []string{"Source: https://:80/b"}},
		"opaque":              {400, []string{"Source: https:a/b"}},
		"port 0":              {400, []string{"Source: https://a:0/b"}},
		"port 65536":          {400, []string{"Source: https://a:65536/b"}},
		"a zone":              {400, []string{"Source: https://[fe80::1%25eth0]/b"}},
		"a directory":         {400, []string{"Source: https://a/b/"}},
		"no path":             {400, []string{"Source: https://a"}},
		"a long URL":          {400, []string{"Source: https://a/" + strings.Repeat("b", maxURL)}},
		"a bad URL":           {400, []string{"Source: https://a/s3cr3t%zz"}},
		"a control":           {400, []string{"Source: https://a/b\r\nX: y"}},
		"many streams":        {400, []string{source, "X-Number-Of-Streams: many"}},
		"negative streams":    {400, []string{source, "X-Number-Of-Streams: -1"}},
		"a large tag":         {400, []string{source, "SciTag: 65536"}},
		"two tags":            {400, []string{source, "SciTag: 1", "SciTag: 2"}},
		"maybe":               {400, []string{source, "RequireChecksumVerification: maybe"}},
		"overwrite":           {400, []string{source, "Overwrite: yes"}},
		"security":            {400, []string{source, "Secure-Redirection: true"}},
		"Host":                {400, []string{source, "TransferHeaderHost: b"}},
		"Content-Length":      {400, []string{source, "TransferHeaderContent-Length: 0"}},
		"Transfer-Encoding":   {400, []string{source, "TransferHeaderTransfer-Encoding: chunked"}},
		"Connection":          {400, []string{source, "TransferHeaderConnection: Authorization"}},
		"Range":               {400, []string{source, "TransferHeaderrange: bytes=0-1"}},
		"no name":             {400, []string{source, "TransferHeader: x"}},
		"itself":              {400, []string{source, "TransferHeaderTransferHeaderA: x"}},
		"a line break":        {400, []string{source, "TransferHeaderA: x\r\nHost: b"}},
		"two tokens":          {400, []string{source, "TransferHeaderAuthorization: a", "TransferHeaderAuthorization: b"}},
		"long":                {400, []string{source, "TransferHeaderA: " + strings.Repeat("x", maxSecret)}},
		"long in many pieces": {400, append([]string{source}, slices.Repeat([]string{"TransferHeaderA: " + strings.Repeat("x", 1000)}, 33)...)},
		"too many":            {400, append([]string{source}, numbered("TransferHeaderA%d: x", maxHeaders+1)...)},
	} {
		o, err := Parse(header(c.lines...))
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Status != c.status || o != nil {
			t.Errorf("%s: %+v, %v", name, o, err)
		} else if s := refusal.Error(); strings.Contains(s, "s3cr3t") || strings.ContainsAny(s, "\r\n") || s == "" {
			t.Errorf("%s: %q", name, s)
		}
	}
}

func numbered(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// FuzzParse: what is taken is within all bounds, and can be sent as it is.
func FuzzParse(f *testing.F) {
	f.Add("https://a.example.org/f?x=y", "Authorization", "Bearer x", "4", "66", "T")
	f.Add("dav://[2001:db8::1]:80/%41", "X-A", "", "0", "65535", "F")
	f.Add("davs://u:p@a/b\r\n", "Host", "\x00", "-1", "1e9", "t")
	f.Fuzz(func(t *testing.T, url, name, value, streams, tag, overwrite string) {
		h := http.Header{
			"Source": {url}, http.CanonicalHeaderKey("TransferHeader" + name): {value},
			"X-Number-Of-Streams": {streams}, "Scitag": {tag}, "Overwrite": {overwrite},
		}
		o, err := Parse(h)
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Status/100 != 4 || o != nil {
				t.Fatalf("%+v, %v", o, err)
			}
			return
		}
		u := o.Remote
		if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Hostname() == "" || u.Fragment != "" || o.Streams > maxStreams || o.Streams < 0 {
			t.Fatalf("%+v", o)
		}
		req, err := http.NewRequest("GET", u.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.URL.Host != u.Host || req.URL.RequestURI() != u.RequestURI() {
			t.Fatalf("%s is asked for at %s", u, req.URL)
		}
		for name, values := range o.header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00 "[:3]) || name == "" || name == "Host" || name == "Content-Length" {
				t.Fatalf("%q: %q", name, values)
			}
		}
	})
}
