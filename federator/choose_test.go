package federator_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

// atlas has three sites, and a database that knows one network in Tokyo.
func atlas(t *testing.T) *geo.Atlas {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, tokyo, _ := net.ParseCIDR("192.0.2.0/24")
	if err := w.Insert(tokyo, mmdbtype.Map{"location": mmdbtype.Map{
		"latitude": mmdbtype.Float64(35.7), "longitude": mmdbtype.Float64(139.7), "accuracy_radius": mmdbtype.Uint16(20),
	}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "city.mmdb")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	place := func(name string, lat, lon float64, network string) geo.Site {
		return geo.Site{Name: name, Point: geo.Point{Lat: lat, Lon: lon}, Placed: true, Networks: []netip.Prefix{netip.MustParsePrefix(network)}}
	}
	a, err := geo.New([]geo.Site{
		place("GENEVA", 46.2, 6.1, "10.1.0.0/16"), place("CHICAGO", 41.9, -87.6, "10.2.0.0/16"), place("OSAKA", 34.7, 135.5, "10.3.0.0/16"),
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func placed(name string) func(*federator.Endpoint) {
	return func(e *federator.Endpoint) { e.Site = name }
}

func TestTheNearestIsChosen(t *testing.T) {
	a := atlas(t)
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Atlas, s.Choice = a, choice.Settings{Fuzz: 100}
		g, c, o := newSite("g", files(2)), newSite("c", files(2)), newSite("o", files(2))
		f := start(t, s, nil, c.endpoint(t, placed("CHICAGO")), g.endpoint(t, placed("GENEVA")), o.endpoint(t, placed("OSAKA")))
		time.Sleep(2 * time.Second)
		from := func(addr string) *choice.Client {
			ip := netip.MustParseAddr(addr)
			return &choice.Client{Addr: ip, Place: a.Locate(ip)}
		}
		near := from("192.0.2.7")
		near.Place = a.At(geo.Point{Lat: 46, Lon: 7})
		prefer, avoid := from("10.1.0.1"), from("10.1.0.1")
		prefer.Prefer, avoid.Avoid = []string{"o"}, []string{"GENEVA"}
		for range 2 { // computed, and remembered
			for _, x := range []struct {
				what   string
				client *choice.Client
				want   string
			}{
				{"at Geneva", from("10.1.2.3"), "g c o"},
				{"at Chicago", from("10.2.2.3"), "c g o"},
				{"in Tokyo, by the database", from("192.0.2.7"), "o g c"},
				{"near Geneva, by its own word", near, "g c o"},
				{"at Geneva, preferring o", prefer, "o g c"},
				{"at Geneva, avoiding it", avoid, "c o g"},
			} {
				d, err := f.Locate(t.Context(), "/d/f00001", federator.All, x.client)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, x.what, order(d), x.want)
			}
		}
		if !f.Drain("g", true) || f.Drain("nobody", true) {
			t.Error("who is drained is not told")
		}
		d, err := f.Locate(t.Context(), "/d/f00001", federator.All, from("10.1.2.3"))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "draining", order(d), "c o g")
		c.refused.Store(true)
		o.refused.Store(true)
		verdict(f, "/elsewhere")
		d, err = f.Locate(t.Context(), "/d/f00001", federator.All, from("10.1.2.3"))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "draining, and nobody else left", order(d), "g")
		why := f.Explain(d, from("10.1.2.3"))
		if len(why) != 3 || why[0].Endpoint != "g" || why[0].Place != 1 || len(why[0].Scores) == 0 || !strings.HasPrefix(why[1].Refused, "down") {
			t.Errorf("%+v", why)
		}
	})
}

// TestStatedPlacesDoNotUseUpTheMap: there are as many ?near= as anybody cares
// to send.
func TestStatedPlacesDoNotUseUpTheMap(t *testing.T) {
	a := atlas(t)
	for i := range 3000 {
		p := a.At(geo.Point{Lat: float64(i) / 100, Lon: 5})
		if p.Cell != 0 || !(&choice.Client{Place: p}).Hinted() {
			t.Fatal("a stated place is kept")
		}
	}
	first := a.Locate(netip.MustParseAddr("10.1.0.1"))
	if other := a.Locate(netip.MustParseAddr("10.1.9.9")); first.Cell == 0 || first.Cell != other.Cell {
		t.Errorf("cells %d and %d", first.Cell, other.Cell)
	}
}

func TestAddressFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		four, six := newSite("four", files(1)), newSite("six", files(1))
		failing := 2
		f := federator.New(federator.Bounds{Entries: 10, Bytes: 1 << 20}, nil, federator.Outside{
			Addresses: func(_ context.Context, host string) (v4, v6 bool, err error) {
				if host == "six.example" {
					if failing--; failing >= 0 {
						return false, false, errors.New("no answer from the name server")
					}
					return false, true, nil
				}
				return true, false, nil
			},
		})
		defer f.Close()
		if err := f.Reload(t.Context(), settings(), []federator.Endpoint{four.endpoint(t), six.endpoint(t)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		for addr, want := range map[string]string{"192.0.2.1": "four six", "2001:db8::1": "six four"} {
			d, err := f.Locate(t.Context(), "/d/f00000", federator.All, &choice.Client{Addr: netip.MustParseAddr(addr), Place: nobody.Place})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, addr, order(d), want)
		}
	})
}

// TestFirstMeasurementCounts: an endpoint that was not measured when a choice
// was made is not last for ever.
func TestFirstMeasurementCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(1)), delayed("b", 500*time.Microsecond, files(1))
		s := settings()
		s.Select = []string{"latency"}
		f := start(t, s, nil, a.endpoint(t), b.endpoint(t, func(e *federator.Endpoint) {
			e.Open = func(context.Context) (plugins.Endpoint, error) { return slowProbe{b}, nil }
		}))
		synctest.Wait()
		d, err := f.Locate(t.Context(), "/d/f00000", federator.First, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "at once", order(d), "a")
		time.Sleep(2 * time.Second)
		d, err = f.Locate(t.Context(), "/d/f00000", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "equals, once both are measured", d.Equals, 2)
	})
}

type slowProbe struct{ *site }

func (s slowProbe) Probe(context.Context, string) error {
	time.Sleep(time.Millisecond)
	return nil
}

func TestSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newSite("a", nil), newSite("b", nil), newSite("c", nil)
		a.SetSpace(plugins.Space{Used: 1, Free: 10})
		b.SetSpace(plugins.Space{Used: 2, Free: -1})
		c.SetSpace(plugins.Space{Used: 100, Free: 100})
		f := federate(t, settings(), nil, a, b, c)
		time.Sleep(time.Second)
		c.refused.Store(true)
		verdict(f, "/x")
		equal(t, "space", f.Space(t.Context(), "/"), plugins.Space{Used: 3, Free: 10})
		none := federate(t, settings(), nil)
		equal(t, "of nobody", none.Space(t.Context(), "/"), plugins.Space{Used: -1, Free: -1})
	})
}

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.Put("/f", mem.File{Content: "123"})
		b.Put("/f", mem.File{Content: "123", Digests: []plugins.Digest{{Algorithm: "md5", Sum: "\x20\x2c"}}})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := f.Digest(t.Context(), d, "md5")
		if err != nil || sum.Sum != "\x20\x2c" {
			t.Errorf("known: %q, %v", sum.Sum, err)
		}
		sum, err = f.Digest(t.Context(), d, "adler32")
		if err != nil || sum.Sum != "\x01\x2d\x00\x97" {
			t.Errorf("asked for: %q, %v", sum.Sum, err)
		}
		d, err = f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil || len(d.Digests()) != 2 || len(d.Replicas) != 2 {
			t.Errorf("it is not remembered: %v, %v", d.Digests(), err)
		}
		if _, err = f.Digest(t.Context(), d, "tiger"); plugins.KindOf(err) != plugins.Unsupported {
			t.Errorf("unheard of: %v", err)
		}
	})
}

func TestFurtherCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.Put("/f", mem.File{Content: "1", Copies: []plugins.Copy{
			{URL: "https://far.example/f", Priority: 2, Country: "JP"}, {URL: "https://mirror.example/f", Priority: 1}, {URL: "http://b.example/data/f"},
		}})
		b.Put("/f", mem.File{Content: "1", Copies: []plugins.Copy{{URL: "https://mirror.example/f"}, {URL: "file:///etc/passwd"}}})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, r := range d.Replicas[2:] {
			urls = append(urls, r.URL)
			if r.Endpoint != "" || r.Group <= d.Replicas[1].Group {
				t.Errorf("%+v", r)
			}
		}
		equal(t, "further", strings.Join(urls, " "), "https://mirror.example/f https://far.example/f")
		for range 10 {
			if d.Deal() > 1 {
				t.Fatal("dealt to a place that nobody watches")
			}
		}
		c, err := f.Open(t.Context(), d, 3, plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		if c.Endpoint() == "" {
			t.Error("read from where nothing can be read")
		}
		c.Close()
	})
}

func TestCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSite("a", files(2))
		f := federate(t, settings(), nil, a)
		time.Sleep(time.Second)
		got := func() string {
			c := f.Counters()
			return fmt.Sprint(c.Hits.Load(), c.StaleHits.Load(), c.Misses.Load(), c.Flights.Load(), c.Listings.Load())
		}
		verdict(f, "/d/f00000")
		verdict(f, "/d/f00000")
		equal(t, "a miss and a hit", got(), "1 0 1 1 0")
		listing(t, f, "/d")
		listing(t, f, "/d")
		equal(t, "with listings", got(), "2 0 2 1 1")
		time.Sleep(11 * time.Minute)
		verdict(f, "/d/f00000")
		synctest.Wait()
		equal(t, "stale", got(), "2 1 2 2 1")
	})
}
