package multistatus

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"testing"
)

const benchEntries = 10_000

// apacheListing is what Apache answers to a PROPFIND with an empty body on a
// directory of n files.
func apacheListing(n int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n")
	for i := range n {
		fmt.Fprintf(&b, `<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/atlas/rucio/data15_13TeV/AOD.%08d._000001.pool.root.1</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype/>
<lp1:creationdate>2026-11-21T09:24:17Z</lp1:creationdate>
<lp1:getcontentlength>%d</lp1:getcontentlength>
<lp1:getlastmodified>Sat, 21 Nov 2026 09:23:45 GMT</lp1:getlastmodified>
<lp1:getetag>"1-660c5%08x"</lp1:getetag>
<lp2:executable>F</lp2:executable>
<D:supportedlock>
<D:lockentry>
<D:lockscope><D:exclusive/></D:lockscope>
<D:locktype><D:write/></D:locktype>
</D:lockentry>
<D:lockentry>
<D:lockscope><D:shared/></D:lockscope>
<D:locktype><D:write/></D:locktype>
</D:lockentry>
</D:supportedlock>
<D:lockdiscovery/>
<D:getcontenttype>text/plain</D:getcontenttype>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
</D:response>
`, i, 1000*i, i)
	}
	b.WriteString("</D:multistatus>\n")
	return b.Bytes()
}

// davixListing is the same for the properties that davix and gfal2 ask for.
func davixListing(n int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n")
	for i := range n {
		fmt.Fprintf(&b, `<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/atlas/rucio/data15_13TeV/AOD.%08d._000001.pool.root.1</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype/>
<lp1:getcontentlength>%d</lp1:getcontentlength>
<lp1:getlastmodified>Sat, 21 Nov 2026 09:23:45 GMT</lp1:getlastmodified>
<lp1:creationdate>2026-11-21T09:24:17Z</lp1:creationdate>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
</D:response>
`, i, 1000*i)
	}
	b.WriteString("</D:multistatus>\n")
	return b.Bytes()
}

var listings = []struct {
	name string
	make func(int) []byte
}{{"Apache", apacheListing}, {"davix", davixListing}}

func perEntry(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
}

func BenchmarkScan(b *testing.B) {
	for _, l := range listings {
		b.Run(l.name, func(b *testing.B) {
			doc := l.make(benchEntries)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for r, err := range Scan(bytes.NewReader(doc), Limits{}) {
					if err != nil || r.Kind == 0 {
						b.Fatal(r, err)
					}
					n++
				}
				if n != benchEntries {
					b.Fatal(n)
				}
			}
			perEntry(b)
		})
	}
}

func BenchmarkScanEncodingXML(b *testing.B) {
	type document struct {
		Responses []struct {
			Href     string `xml:"DAV: href"`
			Status   string `xml:"DAV: status"`
			Propstat []struct {
				Status string `xml:"DAV: status"`
				Prop   struct {
					Type struct {
						Collection *struct{} `xml:"DAV: collection"`
					} `xml:"DAV: resourcetype"`
					Length   string `xml:"DAV: getcontentlength"`
					Modified string `xml:"DAV: getlastmodified"`
					Created  string `xml:"DAV: creationdate"`
					ETag     string `xml:"DAV: getetag"`
				} `xml:"DAV: prop"`
			} `xml:"DAV: propstat"`
		} `xml:"DAV: response"`
	}
	for _, l := range listings {
		b.Run(l.name, func(b *testing.B) {
			doc := l.make(benchEntries)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				var d document
				if err := xml.NewDecoder(bytes.NewReader(doc)).Decode(&d); err != nil || len(d.Responses) != benchEntries {
					b.Fatal(len(d.Responses), err)
				}
			}
			perEntry(b)
		})
	}
}
