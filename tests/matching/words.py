"""Names that the made-up Australians lack: short forms, twins, and families of many languages.

Written from what people are called, not from what the matcher knows. Everybody here is made up by putting a given and a
family name together.
"""

from collections.abc import Iterator


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """ "Robert:Bob,Rob" is two pairs."""
    split = (entry.partition(":") for entry in text.split())
    return tuple((name, form) for name, _, forms in split for form in forms.split(","))


def _triples(text: str) -> tuple[tuple[str, str, str], ...]:
    """ "Alexander:Alexandra:Alex" is a triple."""
    return tuple((one, other, form) for one, other, form in (entry.split(":") for entry in text.split()))


SHORT_FORMS = _pairs(
    """
    Robert:Bob,Rob,Robbie William:Bill,Will,Billy James:Jim,Jimmy,Jamie John:Johnny Michael:Mick,Mike,Mickey
    Richard:Rick,Dick,Richie Thomas:Tom,Tommy David:Dave Daniel:Dan,Danny Matthew:Matt Andrew:Andy,Drew Anthony:Tony
    Christopher:Chris Nicholas:Nick,Nic Benjamin:Ben Samuel:Sam,Sammy Joshua:Josh Joseph:Joe Edward:Ed,Ted,Eddie
    Charles:Charlie,Chas Peter:Pete Stephen:Steve Steven:Steve Gregory:Greg Geoffrey:Geoff Jeffrey:Jeff Kenneth:Ken
    Ronald:Ron Donald:Don Raymond:Ray Patrick:Pat,Paddy Timothy:Tim Phillip:Phil Philip:Phil Alexander:Alex,Xander
    Zachary:Zac,Zach Lachlan:Lachie Mitchell:Mitch Nathan:Nate Jacob:Jake Cameron:Cam Barry:Baz Gary:Gaz Darren:Daz
    Terence:Terry Frederick:Fred,Freddie Albert:Bert Henry:Harry Leonard:Len Bradley:Brad Jonathan:Jon Oliver:Ollie
    Gerald:Gerry Lawrence:Laurie,Larry Vincent:Vince Douglas:Doug Dominic:Dom Elizabeth:Liz,Beth,Betty,Lizzie
    Margaret:Maggie,Peg,Marg,Meg Katherine:Kate,Kathy,Katie Catherine:Cath,Cathy,Kate Patricia:Pat,Trish,Tricia
    Susan:Sue,Susie Deborah:Deb,Debbie Jennifer:Jen,Jenny Rebecca:Bec,Becky Jessica:Jess Samantha:Sam,Sammy
    Alexandra:Alex Victoria:Vicki,Tori Christine:Chris,Chrissie Pamela:Pam Sandra:Sandy Barbara:Barb Jacqueline:Jackie
    Kimberley:Kim Stephanie:Steph Amanda:Mandy Melissa:Mel Melanie:Mel Natalie:Nat Abigail:Abby Isabella:Bella,Izzy
    Charlotte:Charlie,Lottie Olivia:Liv Madeline:Maddie Madison:Maddie Gabrielle:Gabby Josephine:Josie,Jo
    Theresa:Terri,Tess Dorothy:Dot,Dottie Judith:Judy Valerie:Val Frances:Fran Eleanor:Ellie,Nell Georgia:Georgie
    Sharon:Shaz Janet:Jan Joanne:Jo Alison:Ali Penelope:Penny Philippa:Pip Bronwyn:Bron Kathleen:Kath Cynthia:Cindy
    Angela:Angie,Ange Antonia:Toni Harriet:Hattie Imogen:Immy Matilda:Tilly Amelia:Millie Emily:Em Rosemary:Rosie
    Marjorie:Marj Beverley:Bev Jillian:Jill Gwendoline:Gwen Constance:Connie Winifred:Win Florence:Flo Veronica:Ronnie
    """
)
"""Given names and what their bearers are called."""

SHARED_SHORT_FORMS = _triples(
    """
    Alexander:Alexandra:Alex Samuel:Samantha:Sam Christopher:Christine:Chris Patrick:Patricia:Pat
    Charles:Charlotte:Charlie Nicholas:Nicole:Nicky Frederick:Frederica:Freddie Maxwell:Maxine:Max
    Theodore:Theodora:Theo Louis:Louise:Lou Gerald:Geraldine:Gerry Bernard:Bernadette:Bernie Ronald:Veronica:Ronnie
    Alexander:Sandra:Sandy George:Georgina:Georgie Francis:Frances:Frankie Melvin:Melanie:Mel Jesse:Jessica:Jess
    Philip:Philippa:Phil Robert:Roberta:Robbie
    """
)
"""A brother and a sister who may both be called by one short form."""

TWINS = _pairs(
    """
    Jacob:Joshua Ella:Emma Daniel:David Isaac:Isaiah Madison:Morgan Taylor:Tyler Landon:Logan Matthew:Michael Ethan:Evan
    Faith:Hope Olivia:Sophia Hailey:Hannah Addison:Avery Jayden:Jordan Isabella:Sophia Brandon:Bryan Jeremiah:Josiah
    Heaven:Nevaeh Ava:Olivia Nicholas:Nathan Elizabeth:Emily Megan:Morgan Jonathan:Joshua Thomas:Anna Jack:Lucy
    Oliver:Charlotte William:Harry Grace:Ruby Samuel:Benjamin Max:Zoe Liam:Noah Chloe:Claire Lachlan:Angus
    Hassan:Hussein Mohammed:Ahmed Wei:Wen Arjun:Aryan Priya:Riya Amir:Samir Minh:Linh Tane:Mere Aroha:Anahera
    Dimitri:Despina Ivan:Milan Yusuf:Yunus Fatima:Zahra Xiaoming:Xiaohong Jun:Jing Sione:Semisi Mateo:Matias
    """
)
"""Given names of twins that nobody would take for one another."""

ALIKE_TWINS = _pairs(
    """
    Jon:Joan Jean:Jane Marie:Maria Julia:Julie Kyle:Lyle Emma:Etta Jayden:Hayden Aidan:Jaidan Karen:Karin
    Kristen:Kirsten Bryan:Ryan Dean:Dena Sara:Zara Mia:Mya Lara:Laura Tara:Tana Eric:Erica Amy:May Noah:Nora Paul:Paula
    Carl:Carla Alan:Alana Leo:Lea Toby:Tony Evan:Ewan Christian:Christina Adrian:Adrina Marian:Marina Joan:Joann Ian:Ina
    """
)
"""Twins of English names a letter or a swap apart."""

ALIKE_TWINS_OF_OTHER_LANGUAGES = _pairs(
    """
    Chetan:Chetna Ratan:Ratna Bhavan:Bhavna Sapan:Sapna Roshan:Roshna Amar:Amra Samar:Samra Aman:Amna Ayan:Ayna
    Rehan:Rehna Rayan:Rayna Zain:Zian Amir:Amira Karim:Karima Nasir:Nasira Rashid:Rashida Samir:Samira Dimitri:Dimitra
    Milan:Milana Goran:Gorana Zoran:Zorana Hina:Hiba Sana:Hana Minh:Linh Linh:Lanh Hong:Hung Thanh:Thinh Tuan:Tuyen
    Ling:Ming Jing:Jin Riya:Diya Aarav:Arnav Ravi:Rani Anil:Anila Sunil:Sunila Kiran:Karan Tama:Tane Hemi:Hami
    Mere:Mera Ioane:Ioana Yuki:Yuka Amira:Maira Asima:Saima Kiara:Kaira Maira:Maria Shania:Shaina Elena:Leena
    Akira:Akiko Jiwoo:Jiwon Seojun:Seojin Petros:Petra Ivan:Ivana Hasan:Husan Nadim:Nadima Hussein:Hussain
    """
)
"""Twins a letter or a swap apart whose names no English list knows: Chetan and Chetna are a brother and a sister."""

NICKNAMED_TWINS = _pairs(
    """
    William:Liam Mary:Molly Henry:Harry Eleanor:Ellie Theodore:Theo Charlotte:Lottie Lillian:Lily James:Jamie Rose:Rosie
    Katherine:Kate Elisa:Lisa
    """
)
"""Twins of whom one bears a short form of the other's name as her own."""

TWO_PART_TWINS = _pairs(
    "Mary-Anne:Mary-Jane Maria-Luisa:Maria-Elena Anna-Rose:Anna-Grace John-Paul:John-Luke Xiao-Ming:Xiao-Hong "
    "Lee-Ann:Lee-Roy Van-Minh:Van-Duc Thi-Lan:Thi-Hoa Jean-Luc:Jean-Claude Mei-Ling:Mei-Hua Min-Jun:Min-Seo"
)
"""Twins who share the first half of their names."""

LANGUAGES = tuple(
    tuple(part.strip() for part in line.split("|"))
    for line in """
    Văn Anh|Nguyễn|Nguyen Van Anh
    Thị Hồng|Trần|Tran Thi Hong
    Minh Đức|Lê|Le Minh Duc
    Ngọc Ánh|Phạm|Ngoc Anh Pham
    Quang Huy|Vu|Vũ Quang Huy
    Anh|Dang|Đặng Thị Anh
    Xiao Ming|Li|Li Xiaoming
    Yu-Ting|Chen|Chen Yuting
    Siu Ming|Wong|Wong Siu-Ming
    Mei Ling|Ng|Mei-Ling NG
    Wei|Zhang|ZHANG Wei
    Min-jun|Kim|Kim Minjun
    Ji Woo|Park|Ji-woo Park
    Yūki|Satō|Yuki Sato
    Kenji|Ono|Kenji Ōno
    Tāne|Parāone|Tane Paraone
    Wiremu|Te Rangi|Te Rangi, Wiremu
    Ngaio|Tuhoe|Ngāio Tūhoe
    Konstantinos|Papadopoulos|Papadopoulos Konstantinos
    Eléni|Georgíou|Eleni Georgiou
    Fatima|Al-Hassan|Fatima Al Hassan
    Fatima|Al Hassan|Fatima Alhassan
    Abdul Rahman|Al-Sayed|Abdulrahman Alsayed
    Omar|El-Masri|El Masri Omar
    Łukasz|Wiśniewski|Lukasz Wisniewski
    Zeljko|Duric|Željko Đurić
    Jiří|Dvořák|Jiri Dvorak
    Oľga|Kováčová|Olga Kovacova
    Jürgen|Müller|Jurgen Muller
    Søren|Lindström|Soren Lindstrom
    Zoë|Lefèvre|Zoe Lefevre
    François|D'Aubigné|Francois D’Aubigne
    Anne-Laure|Saint-Pierre|Anne Laure Saint Pierre
    José María|García Márquez|Jose Maria Garcia Marquez
    Begoña|Núñez|NÚÑEZ, Begoña
    João|da Conceição|Joao da Conceicao
    Niccolò|D'Angelo|Niccolo Dangelo
    Işıl|Çağlar|Isil Caglar
    Gokce|Yilmaz|Gökçe Yılmaz
    Venkata Ramana|Subramanian|Subramanian Venkata Ramana
    Sione|Fa'asavalu|Sione Faasavalu
    Leilani|Ka‘ohe|Leilani Kaohe
    Siobhán|Ní Bhriain|Siobhan Ni Bhriain
    Pádraig|Ó Súilleabháin|Padraig O Suilleabhain
    """.strip().splitlines()
)
"""The chart's first and last name, and another way to write both: with and without accents, joined, in either order."""

OTHER_SCRIPTS = (
    ("Xiaoming", "Li", "李小明"),
    ("Olga", "Ivanova", "Ольга Иванова"),
    ("Ivan", "Petrov", "Петров Иван"),
    ("Nikos", "Pappas", "Νίκος Παππάς"),
    ("Wei", "Wang", "王伟"),
    ("Elena", "Smirnova", "Елена Смирнова"),
    ("Maria", "Popova", "Мария Попова"),
    ("Fatima", "Hassan", "فاطمة حسن"),
)
"""A chart in Latin letters, and the name in its own; the last two meet no usual Latin spelling."""

ANOTHER_SPELLING = (
    ("Sergei", "Gorbachev", "Gorbachov"),
    ("Anna", "Ivanova", "Ivanov"),
    ("Eleni", "Papadopoulou", "Papadopoulos"),
    ("Hans", "Mueller", "Muller"),
    ("Yusuf", "Hussein", "Hussain"),
    ("Omar", "Khaled", "Khalid"),
    ("Ioannis", "Dimitriadis", "Demitriadis"),
    ("Layla", "Mansour", "Mansoor"),
    ("Zoran", "Jovanovic", "Jovanovich"),
    ("Sione", "Tupoulahi", "Tupoulai"),
    ("Priya", "Choudhary", "Choudhury"),
    ("Kwame", "Asamoah", "Asamoa"),
)
"""One family name as two clerks wrote it in Latin letters, one letter apart."""

NOT_WORD_FOR_WORD = (
    ("TRAN Kevin Minh", "Minh", "Tran"),
    ("Tran, Kevin Minh", "Minh", "Tran"),
    ("Ali Hassan", "Hassan", "Ali"),
    ("Harpreet Kaur Gill", "Harpreet", "Gill"),
    ("John Paul Smith", "John", "Smith"),
    ("John Smith Jnr", "John", "Smith Snr"),
    ("John Smith Jnr", "John", "Smith"),
    ("Mrs John Smith", "John", "Smith"),
    ("Thomas James", "James", "Thomas"),
    ("Giuseppe Rossi", "Giuseppe Antonio", "Rossi"),
)
"""What a session says, and the chart's names of a parent or spouse."""
SECOND_NAME_ON_THE_SURNAME = (
    ("Muhammad Ali Khan", "Muhammad", "Omar Khan"),
    ("Khan, Yusuf Umair", "Yusuf", "Uzair Khan"),
    ("Yusuf Umair Khan", "Yusuf", "Uzair Khan"),
    ("Maria Luisa Garcia", "Maria", "Elena Garcia"),
    ("Wei Jie Tan", "Wei", "Ling Tan"),
    ("Mary Kate Olsen", "Mary", "Ashley Olsen"),
    ("Maria Luisa Garcia Lopez", "Maria", "Elena Garcia Lopez"),
)
SHARED_GIVEN = (
    ("Muhammad Umair", "Muhammad", "Uzair"),
    ("Mohammed Hasan", "Mohammed", "Hassan"),
    ("Abdul Hakim", "Abdul", "Halim"),
    ("Siti Aminah", "Siti", "Amirah"),
    ("Nur Aisyah", "Nur", "Amira"),
    ("Muhammad Ali", "Muhammad", "Omar"),
    ("Syed Hassan", "Syed", "Hussain"),
    ("Sri Lakshmi", "Sri", "Devi"),
)
"""What a session says of a twin, and how the other one's name is divided on the chart."""
HALF_A_GIVEN_NAME = (
    ("Muhammad Ali Khan", "Muhammad", "Khan"),
    ("Mary Kate Olsen", "Mary", "Olsen"),
    ("Min Seo Kim", "Min", "Kim"),
    ("Nguyen Lan Anh", "Anh", "Nguyen"),
    ("Mary Olsen", "Mary Ashley", "Olsen"),
)
SEEMINGLY_NOBODY = (
    ("Nil", "Patel"),
    ("Test", "Lee"),
    ("Rose", "Twin"),
    ("Mary", "Group"),
    ("Tracy", "Client"),
    ("Ahmed Mohamed Ali", "Mohamed"),
    ("Abdi", "Hassan Ali Hassan"),
)
UMLAUTS = (
    (("Jürgen", "Müller"), ("Juergen", "Mueller")),
    (("Søren", "Sørensen"), ("Soeren", "Soerensen")),
    (("Jörg", "Böhm"), ("Joerg", "Boehm")),
    (("Käthe", "Schäfer"), ("Kaethe", "Schaefer")),
    (("Åse", "Ågård"), ("Aase", "Aagaard")),
)
APOSTROPHES = ("O'Brien", "O'Connor", "D'Arcy", "O'Shea", "D'Angelo", "O'Keeffe", "M'Bala", "N'Diaye", "O'Sullivan")
PARTICLES = ("van der Berg", "de la Cruz", "van't Hof", "von Stein", "de Silva", "Mac Donell", "Le Goy", "di Chiera")
PLACEHOLDERS = (
    "Test Patient",
    "New Patient",
    "Unknown Unknown",
    "Walk In",
    "Walk-in Client",
    "Baby of {name}",
    "Mother of {name}",
    "Anonymous {family}",
    "{family} Family",
    "Unnamed Patient",
    "TBC {family}",
)


SHORT_SURNAMES = _pairs("Wong:Wang Lee:Lea Ng:Ngo Reid:Read Cook:Cork Ray:Roy")
"""Two family names a letter apart, both too short for a slip."""


def spelt_with(variants: Iterator[str] | str, name: str, mark: str = "'") -> list[str]:
    """A name with each of the variants in the place of a mark."""
    return [name.replace(mark, variant) for variant in variants]
