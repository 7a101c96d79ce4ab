package geo_test

import (
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"canopy/federator/geo"
)

// database writes a city database in which 192.0.2.0/24 is at the point.
func database(t *testing.T, file string, lat, lon float64, radius int) {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	insert := func(network string, lat, lon float64, radius int, country string) {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(n, mmdbtype.Map{
			"country":  mmdbtype.Map{"iso_code": mmdbtype.String(country)},
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon), "accuracy_radius": mmdbtype.Uint16(radius)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	insert("192.0.2.0/24", lat, lon, radius, "CH")
	insert("198.51.100.0/24", 0, 0, 10, "ZZ")
	insert("203.0.113.0/24", 50, 10, 2000, "DE")
	insert("2001:db8::/32", 35.7, 139.7, 20, "JP")
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
}

func TestLocate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "city.mmdb")
	database(t, file, 46.2, 6.1, 20)
	a, err := geo.New([]geo.Site{
		{Name: "CAMPUS", Point: geo.Point{Lat: 1, Lon: 2}, Placed: true, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{Name: "LAB", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.128/25")}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr, site, source, country string
		placed                      bool
	}{
		{"192.0.2.1", "", "database", "CH", true},
		{"::ffff:192.0.2.1", "", "database", "CH", true},
		{"192.0.2.200", "LAB", "site", "CH", true},
		{"10.2.3.4", "CAMPUS", "site", "", true},
		{"10.1.3.4", "LAB", "site", "", false},
		{"198.51.100.1", "", "database", "ZZ", false},
		{"203.0.113.1", "", "database", "DE", false},
		{"2001:db8::1", "", "database", "JP", true},
		{"8.8.8.8", "", "unknown", "", false},
	} {
		p := a.Locate(netip.MustParseAddr(c.addr))
		if p.Site != c.site || p.Source != c.source || p.Country != c.country || p.Placed != c.placed {
			t.Errorf("%s: %+v", c.addr, *p)
		}
	}
	one, two := a.Locate(netip.MustParseAddr("192.0.2.1")), a.Locate(netip.MustParseAddr("192.0.2.2"))
	if one.Cell != two.Cell || one.Cell == a.Locate(netip.MustParseAddr("10.2.3.4")).Cell {
		t.Error("cells do not follow places")
	}
	if p := a.Locate(netip.Addr{}); p.Placed || p.Cell != 0 {
		t.Error("no address has a place")
	}
}

func TestReloadSwapsTheDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "city.mmdb")
	database(t, file, 46.2, 6.1, 20)
	a, err := geo.New(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.1")
	lat := func() float64 { return a.Locate(addr).Point.Lat }
	if changed, err := a.Reload(); changed || err != nil || lat() != 46.2 {
		t.Errorf("unchanged: %v, %v", changed, err)
	}
	if err := os.WriteFile(file, []byte("cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := a.Reload(); changed || err == nil || lat() != 46.2 {
		t.Errorf("a bad file: %v, %v, %g", changed, err, lat())
	}
	database(t, file, 10, 20, 20)
	if changed, err := a.Reload(); !changed || err != nil || lat() != 10 {
		t.Errorf("a new file: %v, %v, %g", changed, err, lat())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if changed, err := a.Reload(); changed || err == nil || lat() != 10 {
		t.Errorf("no file: %v, %v, %g", changed, err, lat())
	}
	if _, err := geo.New(nil, file); err == nil {
		t.Error("a federation starts without its database")
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b geo.Point
		km   float64
	}{
		{geo.Point{Lat: 46.2, Lon: 6.1}, geo.Point{Lat: 46.2, Lon: 6.1}, 0},
		{geo.Point{Lat: 51.4769, Lon: 0}, geo.Point{Lat: 40.7128, Lon: -74.006}, 5570},
		{geo.Point{Lat: 60, Lon: 179.5}, geo.Point{Lat: 60, Lon: -179.5}, 55.6},
		{geo.Point{Lat: 90}, geo.Point{Lat: -90}, 20015},
	} {
		if got := geo.Distance(c.a, c.b); math.Abs(got-c.km) > 0.002*c.km+0.01 {
			t.Errorf("%v to %v is %g km, want %g", c.a, c.b, got, c.km)
		}
	}
}
