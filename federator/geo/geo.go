// Package geo tells where clients and endpoints are: a site by its networks,
// a place on Earth by a GeoIP city database.
//
// A site that an administrator has written down beats the database. A place
// that the database knows only to within more than MaxRadius counts as
// unknown: a wrong place is worse than none. Nobody is put at 0°, 0°.
package geo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/oschwald/geoip2-golang/v2"
)

// MaxRadius is the accuracy radius, in kilometres, beyond which a place is of
// no use for choosing between endpoints.
const MaxRadius = 1000

// Point is a place on Earth, in degrees.
type Point struct{ Lat, Lon float64 }

// earthRadius is the mean radius in kilometres (IUGG).
const earthRadius = 6371.0088

// Distance returns the great-circle distance in kilometres, by the haversine
// formula, which is exact enough at every distance.
func Distance(a, b Point) float64 {
	rad := math.Pi / 180
	dLat, dLon := (b.Lat-a.Lat)*rad/2, (b.Lon-a.Lon)*rad/2
	h := math.Pow(math.Sin(dLat), 2) + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*math.Pow(math.Sin(dLon), 2)
	return 2 * earthRadius * math.Asin(min(1, math.Sqrt(h)))
}

// Site is a named place with its networks.
type Site struct {
	Name     string
	Point    Point
	Placed   bool
	Networks []netip.Prefix
}

// Place is where an address is, as far as known.
type Place struct {
	// Site is the site whose network holds the address; "" if none does.
	Site string
	// Point is meaningful only if Placed.
	Point  Point
	Placed bool
	// Radius is how far off Point may be, in kilometres.
	Radius float64
	// Country is the ISO 3166-1 code; "" when unknown.
	Country string
	// Source says what the place rests on, for people: "site", "database" or
	// "unknown".
	Source string
	// Stated is whether somebody has simply said so (Atlas.At).
	Stated bool
	// Cell is equal for two places of one Atlas, neither of them stated, if
	// and only if no choice between endpoints could differ for them.
	Cell uint32
}

// Atlas finds the place of an address. It is safe for concurrent use.
type Atlas struct {
	sites    []Site
	places   map[string]*Place // of the sites, by name
	database string

	reader  atomic.Pointer[geoip2.Reader]
	version [sha256.Size]byte // of the database in use; guarded by mu
	memo    *lru.Cache[netip.Addr, *Place]

	mu    sync.Mutex
	cells map[Place]uint32
}

const (
	memoSize = 1 << 16
	maxCells = 1 << 20
)

// New returns an atlas of the sites and, unless it is "", of the GeoIP city
// database in the file named.
func New(sites []Site, database string) (*Atlas, error) {
	memo, err := lru.New[netip.Addr, *Place](memoSize)
	if err != nil {
		return nil, err
	}
	a := &Atlas{sites: sites, database: database, memo: memo, cells: make(map[Place]uint32), places: make(map[string]*Place, len(sites))}
	for _, s := range sites {
		a.places[s.Name] = a.cell(Place{Site: s.Name, Point: s.Point, Placed: s.Placed, Source: "site"})
	}
	if database != "" {
		if _, err := a.Reload(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Reload reads the database again if the file has changed, and reports
// whether it has. A file that cannot be used leaves the old one in force.
func (a *Atlas) Reload() (changed bool, err error) {
	if a.database == "" {
		return false, nil
	}
	// Read, not mapped: a mapped file that is cut short kills the process.
	raw, err := os.ReadFile(a.database)
	if err != nil {
		return false, fmt.Errorf("geo database: %w", err)
	}
	sum := sha256.Sum256(raw)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reader.Load() != nil && bytes.Equal(sum[:], a.version[:]) {
		return false, nil
	}
	r, err := geoip2.OpenBytes(raw)
	if err != nil {
		return false, fmt.Errorf("geo database %s: %w", a.database, err)
	}
	if _, err := r.City(netip.IPv4Unspecified()); err != nil {
		return false, fmt.Errorf("geo database %s: %w", a.database, errors.Join(err, r.Close()))
	}
	// The old reader is left to the collector: somebody may be reading it.
	a.reader.Store(r)
	a.version = sum
	a.memo.Purge()
	return true, nil
}

var nowhere = &Place{Source: "unknown"}

// Locate returns the place of addr, which is not to be changed.
func (a *Atlas) Locate(addr netip.Addr) *Place {
	if a == nil || len(a.sites) == 0 && a.reader.Load() == nil || !addr.IsValid() {
		return nowhere
	}
	addr = addr.Unmap().WithZone("")
	if p, ok := a.memo.Get(addr); ok {
		return p
	}
	before := a.reader.Load()
	p := a.find(addr)
	a.memo.Add(addr, p)
	if a.reader.Load() != before {
		a.memo.Remove(addr) // it may have come from the database of before
	}
	return p
}

// Site returns the place of the site called name, which is not to be changed.
func (a *Atlas) Site(name string) (*Place, bool) {
	if a == nil {
		return nil, false
	}
	p, ok := a.places[name]
	return p, ok
}

// At returns the place of a point that somebody has stated. It gets no cell:
// there are as many points as anybody cares to ask for.
func (a *Atlas) At(p Point) *Place {
	return &Place{Point: p, Placed: true, Source: "stated", Stated: true}
}

func (a *Atlas) find(addr netip.Addr) *Place {
	best := -1
	var at *Site
	for i := range a.sites {
		for _, n := range a.sites[i].Networks {
			if n.Contains(addr) && n.Bits() > best {
				best, at = n.Bits(), &a.sites[i]
			}
		}
	}
	if at != nil {
		p := Place{Site: at.Name, Point: at.Point, Placed: at.Placed, Source: "site"}
		if !at.Placed {
			found := a.lookup(addr)
			p.Point, p.Placed, p.Radius, p.Country = found.Point, found.Placed, found.Radius, found.Country
		}
		return a.cell(p)
	}
	return a.cell(a.lookup(addr))
}

func (a *Atlas) lookup(addr netip.Addr) Place {
	r := a.reader.Load()
	if r == nil {
		return *nowhere
	}
	city, err := r.City(addr)
	if err != nil || !city.HasData() {
		return *nowhere
	}
	p := Place{Country: city.Country.ISOCode, Source: "database"}
	l := city.Location
	if l.HasCoordinates() && l.AccuracyRadius <= MaxRadius && (*l.Latitude != 0 || *l.Longitude != 0) {
		p.Point, p.Placed = Point{*l.Latitude, *l.Longitude}, true
		p.Radius = float64(l.AccuracyRadius)
	}
	return p
}

// cell numbers the place: those that differ in nothing share a number.
// Places beyond the bound are told apart no more and count as unknown, which
// takes more distinct places than there are cities in a database.
func (a *Atlas) cell(p Place) *Place {
	if p == *nowhere {
		return nowhere
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n, ok := a.cells[p]
	if !ok {
		if len(a.cells) >= maxCells {
			return nowhere
		}
		n = uint32(len(a.cells)) + 1
		a.cells[p] = n
	}
	p.Cell = n
	return &p
}
